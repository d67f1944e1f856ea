"""Stand-ins for CUDA's libraries, with which Python imports torch on a machine without them.

    python3 stand_ins.py TORCH FOLDER

PyPI's torch is built for CUDA: Python cannot import it without 2 GB of libraries that a machine
without a GPU never calls. ESCAN's set-up leaves them out, since its workers for the CPU do not need
them. For each one that TORCH/torch/lib asks for and nobody has, FOLDER gets a library of that name
whose functions end the process. Whoever puts FOLDER into LD_LIBRARY_PATH can import torch, on the
CPU.
"""

import pathlib
import re
import subprocess
import sys

LIBRARIES = ("cublas", "cudnn", "cufft", "cuFile", "curand", "cusparse", "cusolver", "nccl", "nvshmem")


def needed_libraries(folder):
    """{the library's file name}: those of CUDA that the libraries in `folder` are linked with."""
    lines = subprocess.run(["readelf", "--dynamic", "--wide", *sorted(folder.glob("*.so"))], check=True,
                           capture_output=True, text=True).stdout
    names = re.findall(r"\(NEEDED\).*\[lib([\w.]+)\]", lines)
    return {f"lib{name}" for name in names if name.lower().startswith(tuple(map(str.lower, LIBRARIES)))}


def undefined_symbols(folder):
    """{(symbol, its version or nothing)} of CUDA's that the libraries in `folder` do not define."""
    lines = subprocess.run(["nm", "--dynamic", "--undefined-only", *sorted(folder.glob("*.so"))],
                           check=True, capture_output=True, text=True).stdout
    symbols = re.findall(r"^ +U (\w+)(?:@+(\S+))?$", lines, flags=re.MULTILINE)
    return {symbol for symbol in symbols if symbol[0].startswith(LIBRARIES)}


def compile_library(path, symbols):
    """Writes a shared library that defines `symbols`, each in its version."""
    source = "".join(f"void {name}(void) {{ __builtin_trap(); }}\n" for name, _ in sorted(symbols))
    versions = sorted({version for _, version in symbols if version})
    script = path.with_suffix(".map")
    script.write_text("".join(
        f"{version} {{ global: {' '.join(f'{name};' for name, of in sorted(symbols) if of == version)} }};\n"
        for version in versions))
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", path, f"-Wl,-soname,{path.name}",
                    *([f"-Wl,--version-script={script}"] if versions else [])],
                   input=source, text=True, check=True)
    script.unlink()


def owner(symbol, names):
    """The one of the libraries `names` that has `symbol`: of its version, else of its beginning."""
    name, version = symbol
    if version in names:
        return version
    fitting = [library for library in names
               if name.lower().startswith(library[3:].split(".")[0].split("_")[0].lower())]
    return max(fitting, key=len)


def main(torch, folder):
    libraries = pathlib.Path(torch) / "torch" / "lib"
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = {name for name in needed_libraries(libraries)
             if not list(pathlib.Path(torch).glob(f"nvidia/*/lib/{name}"))}
    symbols = {name: set() for name in names}
    for symbol in undefined_symbols(libraries):
        if names:
            symbols[owner(symbol, names)].add(symbol)
    for name, of_library in symbols.items():
        compile_library(folder / name, of_library)


if __name__ == "__main__":
    main(*sys.argv[1:])
