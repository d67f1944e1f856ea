"""A progress bar on standard error, on a terminal alone."""


def progress(items, what):
    from tqdm import tqdm
    return tqdm(items, desc=what, disable=None, leave=False)
