#!/usr/bin/env python3
"""Makes empty stand-ins for CUDA's libraries, with which torch's Python can be imported.

    stub_libraries.py TORCH_LIB FOLDER

torch's wheel loads CUDA's libraries when it is imported, 1.8 GB of them, also
where there is no GPU and nothing but processors is compiled for. In FOLDER,
which LD_LIBRARY_PATH then names, each gets the functions that torch's
libraries name; a call of one ends the process.
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile

NEEDING = ('torch_cuda', 'torch_python', 'torch_nvshmem')
LIBRARIES = (
    'libcublas.so.13', 'libcublasLt.so.13', 'libcudnn.so.9', 'libcufft.so.12',
    'libcufile.so.0', 'libcurand.so.10', 'libcusparse.so.12',
    'libcusparseLt.so.0', 'libnccl.so.2', 'libnvshmem_host.so.3')
# Names without a version, of whichever of those libraries.
UNVERSIONED = re.compile(
    '(cublas|cudnn|cufft|cuFile|curand|cusparse|p?nccl|nvshmem)')


def undefined_symbols(library: pathlib.Path):
  """Yields (library and version that are named, or None, symbol)."""
  text = subprocess.run(
      ['readelf', '--wide', '--version-info', '--dyn-syms', library],
      capture_output=True, text=True, check=True).stdout
  versions = {}
  file = None
  for line in text.splitlines():
    if match := re.search(r'File: (\S+)', line):
      file = match[1]
    if match := re.search(r'Name: (\S+)\s+Flags: \S+\s+Version: (\d+)', line):
      versions[match[2]] = (file, match[1])
  for line in text.splitlines():
    match = re.search(r'\sUND ([^\s@]+)(?:@\S+)?(?: \((\d+)\))?$', line)
    if match:
      yield versions.get(match[2]), match[1]


def write_stub(path: pathlib.Path, versions: dict):
  source = ''.join(
      f'void {name}(void) {{ __builtin_trap(); }}\n'
      for names in versions.values() for name in sorted(names))
  command = ['gcc', '-w', '-fno-builtin', '-shared', '-nostdlib', '-x', 'c',
             '-', f'-Wl,-soname,{path.name}', '-o', path]
  with tempfile.NamedTemporaryFile('w', suffix='.map') as script:
    for version, names in versions.items():
      if version:
        script.write(f'{version} {{ global: {"; ".join(sorted(names))}; }};\n')
    script.flush()
    if any(versions):
      command.append(f'-Wl,--version-script={script.name}')
    subprocess.run(command, input=source, text=True, check=True)


def main():
  if len(sys.argv) != 3:
    sys.exit(__doc__.strip())
  torch_lib, folder = map(pathlib.Path, sys.argv[1:])
  folder.mkdir(parents=True, exist_ok=True)
  stubs = {library: collections.defaultdict(set) for library in LIBRARIES}
  for name in NEEDING:
    for version, symbol in undefined_symbols(torch_lib / f'lib{name}.so'):
      if version and version[0] in stubs:
        stubs[version[0]][version[1]].add(symbol)
      elif not version and UNVERSIONED.match(symbol):
        stubs['libnccl.so.2'][''].add(symbol)
  for library, versions in stubs.items():
    write_stub(folder / library, versions)


if __name__ == '__main__':
  main()
