#pragma once

namespace escan {

// How many descriptors the process may have open. Raises the soft limit (RLIMIT_NOFILE) as far as
// the hard one allows and is of use: limits in the millions, as containers have, make programs slow
// that go through all numbers. Programs that are started inherit it.
struct DescriptorLimit {
  int before = 0;
  int now = 0;
};
DescriptorLimit RaiseDescriptorLimit();

// Below which numbers connections may have, so that the rest of `limit` is left for workers and
// their replacements, the engines, the metrics port and files. Operators may come where there is no
// room for clients any more.
int ClientCeiling(int limit);
int OperatorCeiling(int limit);

}  // namespace escan
