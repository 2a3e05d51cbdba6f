"""`python -m soilql` is the command line."""

from soilql.cli import main

raise SystemExit(main())
