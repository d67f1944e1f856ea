#pragma once

#include <vector>

#include "escan/time.h"

namespace escan {

// From rates to the law by which steps slow each other (docs/design.md, section 7). Clients that
// each have a batch waiting take `tau` for a step when one of them is alone; K of them finish steps
// at the rate R, so each of their steps is slower by s = K / (R tau). By the law, with the load
// d = w / tau of each,
//   s^p = 1 + (K d)^p - d^p,   hence   w = tau ((s^p - 1) / (K^p - 1))^(1/p).
//
// Assumed: the clients are equal, the device is fair, and p is one number for the device, whatever
// the stage. Steps that are slowed by less than 2 % cannot be told from noise. Plain code; any
// thread.

// Steps per second of all clients together, for each of a profile's client counts; positive.
using ClientRates = std::vector<double>;

// The p between 1 and 16, in steps of a quarter, under which the rates at the counts between the
// first and the last follow best (least squares of their logarithms) from those two. Only rates
// that bend tell it: where none does, because no steps slow each other or there are fewer than
// three counts, the default of Profile. `client_counts` are those of Profile.
double FitKnee(const std::vector<int>& client_counts, const std::vector<ClientRates>& measured);

// w for each client count. Of a count at which slowing cannot be seen, and of one client, that of
// the next greater count; where none of those shows it either, what would slow the steps of the
// greatest count by 2 %: more it is not. `Tau` when one client is all there is.
std::vector<Seconds> FitDeviceTimes(const std::vector<int>& client_counts, const ClientRates& rates,
                                    double knee);

}  // namespace escan
