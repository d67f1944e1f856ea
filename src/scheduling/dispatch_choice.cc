#include "scheduling/dispatch_choice.h"

namespace escan {
namespace {

std::optional<int> MostUrgent(const StageOffers& offers, StageMask stages) {
  std::optional<int> best;
  ForEachStage(stages, [&](int stage) {
    const auto index = static_cast<size_t>(stage);
    if (!best || offers.at[index].level <= offers.at[static_cast<size_t>(*best)].level) {
      best = stage;
    }
  });
  return best;
}

bool MissesItsDeadlineAfter(const StageOffer& competitor, const StageOffer& offer, TimePoint now) {
  if (!competitor.step || !offer.step) return false;
  const TimePoint alone = now + *offer.step;
  return alone <= offer.deadline && alone + *competitor.step > offer.deadline;
}

}  // namespace

std::optional<int> ChooseStage(const StageOffers& offers, StageMask allowed, TimePoint now) {
  const std::optional<int> full = MostUrgent(offers, static_cast<StageMask>(offers.full & allowed));
  if (!full) return MostUrgent(offers, static_cast<StageMask>(offers.ripe & allowed));
  StageMask candidates = StageBit(*full);
  ForEachStage(static_cast<StageMask>(Without(offers.waiting, offers.full) & allowed),
               [&](int stage) {
                 if (MissesItsDeadlineAfter(offers.at[static_cast<size_t>(*full)],
                                            offers.at[static_cast<size_t>(stage)], now)) {
                   candidates |= StageBit(stage);
                 }
               });
  return MostUrgent(offers, candidates);
}

}  // namespace escan
