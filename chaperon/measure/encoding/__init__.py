"""What is measured, as bytes: windows, and checked msgpack."""
