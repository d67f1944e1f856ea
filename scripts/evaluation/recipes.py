"""What the benchmark cascades are: sizes of their networks, configurations and plans."""

import dataclasses
import re

STAGES = ('small', 'medium', 'large')
TOKENS = 128
VOCABULARY = 30_522
HEAD_WIDTH = 64  # Of an attention head.


@dataclasses.dataclass(frozen=True)
class Cascade:
  """A benchmark cascade. A recipe is the arguments of one stage's network."""
  network: str  # A class of networks.py.
  datum: str  # The input beside `difficulty`, as in escand.yaml.
  shape: tuple
  classes: int
  recipes: tuple
  small_recipes: tuple

  @property
  def datum_name(self) -> str:
    return re.search(r'name: (\w+)', self.datum)[1]


CASCADES = {
    'heavy': Cascade(
        'ResNet', '{name: image, datatype: UINT8, shape: [224, 224, 3]}',
        (224, 224, 3), 1000,
        ({'groups': (2, 2, 2, 2), 'width': 64},
         {'groups': (3, 4, 6, 3), 'width': 64, 'bottleneck': True},
         {'groups': (3, 8, 36, 3), 'width': 64, 'bottleneck': True}),
        ({'groups': (1,), 'width': 4},
         {'groups': (1, 1), 'width': 4, 'bottleneck': True},
         {'groups': (1, 2), 'width': 4, 'bottleneck': True})),
    'cifar': Cascade(
        'ResNet', '{name: image, datatype: UINT8, shape: [32, 32, 3]}',
        (32, 32, 3), 10,
        tuple({'groups': (blocks,) * 3, 'width': width}
              for blocks, width in ((1, 16), (3, 32), (9, 64))),
        tuple({'groups': (blocks,) * 3, 'width': width}
              for blocks, width in ((1, 4), (1, 8), (2, 8)))),
    'text': Cascade(
        'TextEncoder', '{name: tokens, datatype: INT32, shape: '
        f'[{TOKENS}], range: [0, {VOCABULARY - 1}]}}',
        (TOKENS,), 4,
        tuple({'layers': layers, 'width': width}
              for layers, width in ((2, 128), (6, 384), (12, 768))),
        tuple({'layers': layers, 'width': HEAD_WIDTH}
              for layers in (1, 2, 3))),
}

CONFIGURATION = """\
# Written by evaluate.py cascades. A sample whose `difficulty` lies in [k, k + 1)
# exits at stage k + 1.
devices: [auto]
cascades:
  - name: {name}
    max_rows: 64
    probe: samples.npz
    deadline: 10s
    slots: {slots}
    inputs:
      - {datum}
      - {{name: difficulty, datatype: FP32, shape: [1]}}
    outputs:
      - {{name: probabilities, datatype: FP32, shape: [{classes}]}}
    stages:
{stages}\
    plan: plans/replicas_3x50.yaml
"""

STAGE = """\
      - name: {stage}
        model: {stage}.pt
        precision: fp16
        buckets: [1, 4, 16, 32, 64]
        outputs:
          - {{name: probabilities, datatype: FP32, shape: [{classes}]}}
          - {{name: score, datatype: FP32, shape: [1]}}
"""
EXIT = """\
        exit: {score: output, output: score, threshold: 0.0}
"""

# With equal credits and batch limits everywhere: plans differ in who runs what.
POLICIES = """\
stages:
  small: {max_batch: 32, max_delay: 1ms}
  medium: {max_batch: 32, max_delay: 2ms}
  large: {max_batch: 32, max_delay: 4ms}
"""


def workers(count, percent, stages) -> str:
  return (f'  - {{count: {count}, thread_percent: {percent}, credits: 2, '
          f'stages: [{", ".join(stages)}]}}\n')


def build_plans() -> dict:
  """Returns the plans that are compared: file name to text."""
  one_each = 'workers:\n' + ''.join(
      workers(1, 100, [stage]) for stage in STAGES)
  all_stages = 'workers:\n' + workers(1, 100, STAGES)
  speculate = POLICIES.replace('2ms}', '2ms, speculate: true}').replace(
      '4ms}', '4ms, speculate: true}')
  plans = {
      'sequential': all_stages + POLICIES + 'options: {regroup: false}\n',
      'all_parallel': one_each + speculate + 'options: {cancel: never}\n',
      'pipeline': one_each + POLICIES,
  }
  for count in (3, 6):
    for percent in (30, 50, 100):
      plans[f'replicas_{count}x{percent}'] = (
          'workers:\n' + workers(count, percent, STAGES) + POLICIES)
  return plans
