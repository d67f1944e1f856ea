#pragma once

// The waits of TailLatency, in parts of the longest step. All grow with `busy` and with `use`.
namespace escan {

// Sakasegawa's approximation of the probability that all of `workers` are busy, each being so for
// the part `use` of the time; 1 from use 1 on.
double AllBusy(double use, int workers);
// It is use^BusyExponent.
double BusyExponent(int workers);

// The residual of a step: all workers are busy with probability `busy`; the wait until the first
// is free is longer than this with probability `late`.
double ResidualWait(double late, double busy, int workers);

// The queue of batches that arrive with a squared coefficient of variation of 1 while the part
// `use` < 1 of the capacity is used; for another coefficient, times that.
double QueueWait(double late, double use, int workers);

}  // namespace escan
