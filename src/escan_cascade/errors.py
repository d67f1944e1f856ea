"""What is said to the user in one line, without a stack trace."""


class UserError(Exception):
    """Says what was wrong, what was found, and what to change."""


def require(package, source):
    """Imports an optional package; says how to install it where it is missing."""
    import importlib
    import sys
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(f"{source} needs the package {package}, which cannot be imported ({error}): "
                        f"{sys.executable} -m pip install {package}") from error
