"""Parts that outputs share: files, tables, JUnit XML, metrics, sending over HTTP."""
