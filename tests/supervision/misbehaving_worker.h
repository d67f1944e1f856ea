#pragma once

#include <string>
#include <utility>

#include "supervision/misbehaving_rows.h"
#include "supervision/worker_process.h"

namespace escan {

// A worker program for tests that needs no model and fails on demand. `mode` is one of:
//
//   good               serves, see below
//   die-at-start       exits with status 7 before it reads anything
//   good-as-worker-0   good when it is worker 0, else exits with status 7
//   die-before-ready   says that it is loading, then exits with status 8
//   fails-to-load      reports kFailed with the message "no such model", then exits with status 9
//   unservable         reports kFailed with the message "stage 'first': another shape", then exits
//                      with kUnservableExitStatus
//   never-ready        says that it is loading and goes on saying so
//   die-mid-batch      exits with status 10 when it is given a batch
//   poison             good, but a row whose first input byte is kDeadlyByte aborts the process,
//                      and one with kFailingByte is answered kFailed with the message "bad row"
//   device-fault       good, but for a row whose first input byte is kDeadlyByte it says that its
//                      device is in error and exits with status 11
//   hang               is ready and sends heartbeats, but answers no batch
//   no-heartbeat       is ready, then says nothing any more
//   garbage            answers a batch with the bytes of no frame
//   answers-twice      sends each answer twice
//   wrong-sequence     sends an answer with another sequence, then the true one
//   wrong-incarnation  likewise, another incarnation
//   wrong-rows         likewise, another number of rows
//   wrong-as-worker-1  good, but the outputs that worker 1 computes in every second batch are wrong
//   always-differs     good, but of batches to compare it says that each row differs
//   wrong-with-one-thread
//                      with one thread, as a small share of the CPU has: reports the verdict
//                      kWrong of its first stage and kFailed with "stage 'NAME' answers wrongly:
//                      row 0: 1 where 0 is right", then exits with status 1; with more: reports
//                      that all stages are right, and is good. Steps of n rows take n us
//   closes-socket      closes its sending side when it is given a batch, and stays
//   ignores-stop       good, but goes on after a StopFrame
//   floods-as-second   good, but the second process that the daemon starts answers no batch, and
//                      says without end that it is ready
//   slows-down         as ready-as-first, but from its 21st batch on each takes two seconds
//   ready-as-first     good when it is the first process that the daemon starts, else never-ready
//
// A served row scores b/255, where b is the first byte of the stage's first input, and exits when
// that passes the threshold. The elements of its FP32 outputs are b; other outputs have all bytes
// b. A row of a batch to compare differs when the slot holds other outputs. Whatever its mode, the
// program ends when its socket's other end closes.
inline WorkerCommand MisbehavingWorker(std::string mode) {
  return {.program = ESCAN_MISBEHAVING_WORKER, .arguments = {std::move(mode)}};
}

}  // namespace escan
