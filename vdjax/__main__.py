"""`python -m vdjax` is the command `vdjax`."""

from vdjax.cli import main

raise SystemExit(main())
