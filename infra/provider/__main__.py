"""Run the mock payment provider: `python -m infra.provider` with PORT, HOST and PROVIDER_BOOKS."""

from infra.provider.server import main

if __name__ == "__main__":
    main()
