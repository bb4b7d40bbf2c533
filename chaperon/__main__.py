"""The door: patches first, then hands over to the command line."""

from gevent import monkey

monkey.patch_all()

from chaperon.cli import main  # noqa: E402 - late: it brings requests, which brings ssl

if __name__ == "__main__":
    main()
