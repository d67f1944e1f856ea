#pragma once

#include "escan/time.h"

namespace escan {

// How long to wait for an MPS control daemon, and how often to look after it.
struct MpsTimes {
  Duration command = std::chrono::seconds(2);  // one run of the control program
  // A server whose client hangs answers no request to end that client, and while it is asked other
  // clients stand still: shorter than what a batch may take before its worker counts as hanging.
  Duration terminate = std::chrono::milliseconds(400);
  Duration check = std::chrono::seconds(10);   // between two looks at a daemon that answers
  Duration recheck = std::chrono::seconds(1);  // and at one that does not
  Duration start = std::chrono::seconds(10);   // until a daemon that was started answers
  Duration stop = std::chrono::seconds(8);     // until one that was asked to end has ended; the
                                               // workers of a killed server take up to 5 s
  Duration restart = std::chrono::seconds(1);  // before a second restart; doubles from then on
  Duration listing = std::chrono::seconds(2);  // until a new client is listed
};

}  // namespace escan
