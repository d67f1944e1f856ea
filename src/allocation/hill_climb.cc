#include "allocation/hill_climb.h"

#include <algorithm>
#include <cstddef>

namespace escan {
namespace {

// Tries the neighbours of the best candidate until one is better.
class Step {
 public:
  Step(const SearchGrid& grid, CandidateRanking* ranking)
      : grid_(grid), ranking_(*ranking), from_(ranking->best().front().candidate) {}

  bool Improves() {
    return OtherBatches() || OtherClasses() || OtherHosts() || SplitClass() || ExchangeWorkers() ||
           CutClass();
  }

 private:
  bool Try(const Candidate& candidate) {
    return candidate.clients() <= grid_.limits().clients && ranking_.Add(candidate);
  }

  bool OtherBatches() {
    for (int stage = 0; stage < grid_.stages(); ++stage) {
      for (int bucket = 0; bucket < grid_.buckets(stage); ++bucket) {
        Candidate next = from_;
        next.bucket[static_cast<size_t>(stage)] = bucket;
        if (Try(next)) return true;
      }
    }
    return false;
  }

  bool OtherClasses() {
    for (size_t c = 0; c < from_.used().size(); ++c) {
      for (const int change : {-1, 1}) {
        Candidate next = from_;
        next.classes[c].count += change;
        if (next.classes[c].count >= 1 && Try(next)) return true;
      }
      for (int share = 0; share < grid_.shares(); ++share) {
        Candidate next = from_;
        next.classes[c].share = share;
        if (Try(next)) return true;
      }
    }
    return false;
  }

  bool CoversAll(const Candidate& candidate) const {
    for (int stage = 0; stage < grid_.stages(); ++stage) {
      if (std::ranges::none_of(candidate.used(), [&](const Candidate::Class& workers) {
            return workers.hosts(stage);
          })) {
        return false;
      }
    }
    return true;
  }

  bool OtherHosts() {
    for (size_t c = 0; c < from_.used().size(); ++c) {
      for (const int change : {-1, 1}) {
        for (int Candidate::Class::*end : {&Candidate::Class::first, &Candidate::Class::last}) {
          Candidate next = from_;
          Candidate::Class& workers = next.classes[c];
          workers.*end += change;
          if (workers.first >= 0 && workers.first <= workers.last &&
              workers.last < grid_.stages() && CoversAll(next) && Try(next)) {
            return true;
          }
        }
      }
    }
    return false;
  }

  // One worker of a class, or one more, hosts the stages up to one, or from one on.
  bool SplitClass() {
    if (from_.class_count == grid_.limits().classes) return false;
    for (size_t c = 0; c < from_.used().size(); ++c) {
      for (int stage = from_.classes[c].first; stage <= from_.classes[c].last; ++stage) {
        for (const bool early : {true, false}) {
          Candidate next = from_;
          Candidate::Class& workers = next.classes[static_cast<size_t>(next.class_count++)];
          workers = from_.classes[c];
          workers.count = 1;
          (early ? workers.last : workers.first) = stage;
          if (Try(next)) return true;
          if (--next.classes[c].count >= 1 && Try(next)) return true;
        }
      }
    }
    return false;
  }

  bool ExchangeWorkers() {
    for (size_t from = 0; from < from_.used().size(); ++from) {
      for (size_t to = 0; to < from_.used().size(); ++to) {
        Candidate next = from_;
        --next.classes[from].count;
        ++next.classes[to].count;
        if (from != to && next.classes[from].count >= 1 && Try(next)) return true;
      }
    }
    return false;
  }

  // Other workers take over a class's stages up to one, or from one on: as many as may be added, or
  // some of the class's own.
  bool CutClass() {
    if (from_.class_count == grid_.limits().classes) return false;
    for (size_t c = 0; c < from_.used().size(); ++c) {
      for (int stage = from_.classes[c].first; stage < from_.classes[c].last; ++stage) {
        for (const bool early : {true, false}) {
          if (CutBehind(stage, early, c)) return true;
        }
      }
    }
    return false;
  }

  bool CutBehind(int stage, bool early, size_t index) {
    Candidate next = from_;
    Candidate::Class& left = next.classes[index];
    Candidate::Class& others = next.classes[static_cast<size_t>(next.class_count++)];
    others = left;
    (early ? others.last : left.last) = stage;
    (early ? left.first : others.first) = stage + 1;
    for (others.share = 0; others.share < grid_.shares(); ++others.share) {
      others.count = grid_.limits().clients - from_.clients();
      left.count = from_.classes[index].count;
      if (others.count > 0 && Try(next)) return true;
      for (others.count = 1; --left.count > 0; ++others.count) {
        if (Try(next)) return true;
      }
    }
    return false;
  }

  const SearchGrid& grid_;
  CandidateRanking& ranking_;
  const Candidate from_;
};

void TryReplicas(const SearchGrid& grid, CandidateRanking* ranking) {
  Candidate candidate;
  candidate.class_count = 1;
  Candidate::Class& workers = candidate.classes[0];
  workers.last = grid.stages() - 1;
  int most_buckets = 0;
  for (int stage = 0; stage < grid.stages(); ++stage) {
    most_buckets = std::max(most_buckets, grid.buckets(stage));
  }
  for (workers.count = grid.limits().clients; workers.count > 0; --workers.count) {
    for (workers.share = 0; workers.share < grid.shares(); ++workers.share) {
      for (int bucket = most_buckets - 1; bucket >= 0; --bucket) {
        for (int stage = 0; stage < grid.stages(); ++stage) {
          candidate.bucket[static_cast<size_t>(stage)] = std::min(bucket, grid.buckets(stage) - 1);
        }
        ranking->Add(candidate);
      }
    }
  }
}

// With a class for each stage, of equally many workers.
void TryPipelines(const SearchGrid& grid, CandidateRanking* ranking) {
  const int stages = grid.stages();
  if (stages == 1 || stages > grid.limits().classes) return;
  Candidate candidate;
  candidate.class_count = stages;
  for (int stage = 0; stage < stages; ++stage) {
    candidate.bucket[static_cast<size_t>(stage)] = grid.buckets(stage) - 1;
  }
  for (int count = 1; count * stages <= grid.limits().clients; ++count) {
    for (int share = 0; share < grid.shares(); ++share) {
      for (int stage = 0; stage < stages; ++stage) {
        candidate.classes[static_cast<size_t>(stage)] = {
            .share = share, .count = count, .first = stage, .last = stage};
      }
      ranking->Add(candidate);
    }
  }
}

}  // namespace

void HillClimb(const SearchGrid& grid, CandidateRanking* ranking) {
  TryReplicas(grid, ranking);
  TryPipelines(grid, ranking);
  while (!ranking->best().empty() && Step(grid, ranking).Improves()) {
  }
}

}  // namespace escan
