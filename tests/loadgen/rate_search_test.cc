#include "loadgen/rate_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

namespace escan::loadgen {
namespace {

// The answers of a made-up server: whether a rate keeps each objective.
using Server = std::function<std::vector<bool>(double rate)>;

struct Search {
  RateSearch search;
  std::vector<double> rates;  // as tried
};

Search SearchOn(const RateSearchOptions& options, const Server& server, int most_probes = 100) {
  Search run{.search = RateSearch(options), .rates = {}};
  while (const std::optional<double> rate = run.search.Next()) {
    if (static_cast<int>(run.rates.size()) == most_probes) break;
    run.rates.push_back(*rate);
    run.search.Add({.rate = *rate, .kept = server(*rate)});
  }
  return run;
}

// One objective that is kept up to `capacity`.
Server UpTo(double capacity) {
  return [capacity](double rate) { return std::vector{rate <= capacity}; };
}

// The p99 of the wait in M/D/1 is about ln(100) / 2 x utilisation / (1 - utilisation) service
// times.
Server SingleQueue(double service_rate, std::vector<double> objectives) {
  return [=](double rate) {
    const double utilisation = rate / service_rate;
    const double waits = std::log(100.0) / 2 * utilisation / (1 - utilisation);
    std::vector<bool> kept;
    for (const double objective : objectives) {
      kept.push_back(utilisation < 1 && (1 + waits) / service_rate <= objective);
    }
    return kept;
  };
}

// The rate at which the queue above takes the objective.
double MaxRate(double service_rate, double objective) {
  const double ratio = (objective * service_rate - 1) * 2 / std::log(100.0);
  return service_rate * ratio / (1 + ratio);
}

TEST(RateSearch, FindsTheRateToWithinTheTolerance) {
  for (const double capacity : {3.7, 99.0, 100.0, 101.0, 250.0, 4321.0, 250000.0}) {
    const Search run = SearchOn({.start_rate = 100, .tolerance = 0.05}, UpTo(capacity));
    const RateBracket bracket = run.search.Bracket(0);
    ASSERT_TRUE(run.search.Settled(0)) << capacity;
    EXPECT_LE(*bracket.kept, capacity);
    EXPECT_GT(*bracket.missed, capacity);
    EXPECT_LE(*bracket.missed, *bracket.kept * 1.05);
    EXPECT_LE(run.rates.size(), 20u) << capacity;
  }
}

TEST(RateSearch, TakesFewProbesWhereTheStartIsNearlyRight) {
  for (const double capacity : {81.0, 90.0, 99.0, 101.0, 110.0, 120.0}) {
    const Search run = SearchOn({.start_rate = 100, .tolerance = 0.05}, UpTo(capacity));
    EXPECT_LE(run.rates.size(), 6u) << capacity;
  }
}

TEST(RateSearch, ReadsSeveralObjectivesOffOneSweep) {
  const std::vector<double> objectives = {3e-3, 10e-3};
  const RateSearchOptions options{.objectives = 2, .start_rate = 800, .tolerance = 0.05};
  const Search both = SearchOn(options, SingleQueue(1000, objectives));
  size_t alone = 0;
  for (size_t i = 0; i < objectives.size(); ++i) {
    const RateBracket bracket = both.search.Bracket(i);
    const double right = MaxRate(1000, objectives[i]);
    EXPECT_LE(*bracket.kept, right);
    EXPECT_GT(*bracket.missed, right);
    EXPECT_LE(*bracket.missed, *bracket.kept * 1.05);
    alone += SearchOn({.start_rate = 800, .tolerance = 0.05}, SingleQueue(1000, {objectives[i]}))
                 .rates.size();
  }
  EXPECT_LT(both.rates.size(), alone);
}

TEST(RateSearch, GoesDownWhereTheFirstProbeIsOverTheCapacity) {
  const Search run = SearchOn({.start_rate = 50000}, UpTo(700));
  EXPECT_GT(run.rates[0], run.rates[1]);
  EXPECT_NEAR(*run.search.Bracket(0).kept, 700, 35);
}

TEST(RateSearch, GivesUpWhereNoRateKeepsAnObjective) {
  const Search run = SearchOn({.objectives = 2, .start_rate = 1000}, [](double rate) {
    return std::vector{false, rate <= 1000};
  });
  EXPECT_FALSE(run.search.Bracket(0).kept);
  EXPECT_TRUE(run.search.Settled(0));
  EXPECT_NEAR(*run.search.Bracket(1).kept, 1000, 50);
  EXPECT_LE(run.rates.size(), 20u);
  for (const double rate : run.rates) EXPECT_GE(rate, 1);
}

TEST(RateSearch, IsNotSettledBeforeItsTime) {
  EXPECT_FALSE(RateSearch({}).Settled(0));
  const Search run = SearchOn({.start_rate = 100}, UpTo(1000), /*most_probes=*/3);
  EXPECT_FALSE(run.search.Settled(0));
  EXPECT_FALSE(run.search.Bracket(0).missed);
}

TEST(RateSearch, TriesARateAgainThatWasMissedByChance) {
  // The second probe meets a hiccup.
  int probes = 0;
  const Search run = SearchOn({.start_rate = 800, .tolerance = 0.05}, [&](double rate) {
    return std::vector{++probes != 2 && rate <= 2000};
  });
  EXPECT_EQ(run.rates[1], 1000);
  EXPECT_NEAR(*run.search.Bracket(0).kept, 2000, 100);
}

TEST(RateSearch, TriesAMissedRateOnceMoreAndNoOftener) {
  // Just under a rate of the search, so that all others below are kept.
  const Search run = SearchOn({.start_rate = 800, .tolerance = 0.05}, UpTo(999.9));
  EXPECT_EQ(std::count(run.rates.begin(), run.rates.end(), 1000), 2);
  EXPECT_TRUE(run.search.Settled(0));
}

TEST(RateSearch, ALatencyThatIsWorseAtLowRatesDoesNotMislead) {
  // Batches gather slowly below 500: the objective is missed there, too.
  const Search run = SearchOn({.start_rate = 300, .tolerance = 0.05}, [](double rate) {
    return std::vector{rate >= 500 ? rate <= 900 : rate < 100};
  });
  const RateBracket bracket = run.search.Bracket(0);
  EXPECT_TRUE(run.search.Settled(0));
  EXPECT_LE(*bracket.kept, 900);
  EXPECT_GT(*bracket.missed, *bracket.kept);
}

TEST(RateSearch, NoiseMovesTheResultOnlyAsFarAsItReaches) {
  // Near its capacity of 1000 a server keeps the objective or misses it by chance.
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> noise(0, 0.03);
    const Search run = SearchOn({.start_rate = 700, .tolerance = 0.05}, [&](double rate) {
      return std::vector{rate * (1 + noise(random)) <= 1000};
    });
    EXPECT_TRUE(run.search.Settled(0));
    EXPECT_NEAR(*run.search.Bracket(0).kept, 1000, 150) << seed;
    EXPECT_LE(run.rates.size(), 20u) << seed;
  }
}

}  // namespace
}  // namespace escan::loadgen
