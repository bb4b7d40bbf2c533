"""A worker: joins a master, performs the shares leased to it, sends windows."""
