#include "allocation/wait_bounds.h"

#include "allocation/queueing.h"

namespace escan {

WaitBounds::WaitBounds(const LateParts& late) : late_(late) {
  residuals_.resize(Index(static_cast<int>(late.counted()), 0, 0));
  for (int hosts = 1; hosts <= kMostClients; ++hosts) {
    busy_exponents_[static_cast<size_t>(hosts)] = BusyExponent(hosts);
    for (size_t place = 0; place <= kPlaces; ++place) {
      const double busy = AllBusy(static_cast<double>(place) / kPlaces, hosts);
      for (size_t i = 0; i < late.counted(); ++i) {
        residuals_[Index(static_cast<int>(i), hosts, place)] = {
            .of_any = ResidualWait(late[i], busy, hosts), .of_one = ResidualWait(late[i], busy, 1)};
      }
    }
  }
}

}  // namespace escan
