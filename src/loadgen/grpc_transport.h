#pragma once

#include <memory>
#include <optional>
#include <string>

#include "escan/time.h"
#include "loadgen/connections.h"
#include "loadgen/request_encoder.h"
#include "loadgen/sample_set.h"
#include "loadgen/transport.h"

namespace escan::loadgen {

// How requests travel.
struct Delivery {
  int rows_per_request = 1;
  int threads = 1;                   // that receive answers: one a lane; at most one a connection
  Duration deadline{};               // of every request, from its sending
  std::string label_output;          // the output whose scores are read; may be empty
  std::optional<ExitControl> exits;  // whose difficulties outlive the transport
};

// Sends ModelInfer over gRPC. A lane is a thread with a completion queue, which serves every
// threads-th connection.
class GrpcTransport : public Transport {
 public:
  // `samples` outlives this object.
  GrpcTransport(Channels channels, const ModelInfo& model, const SampleSet* samples,
                const Delivery& delivery);

  // Blocks until every request that was sent is answered.
  ~GrpcTransport() override;

  int connections() const override;
  int lanes() const override;
  void SetListener(AnswerListener* listener) override;
  void Send(const OutgoingRequest& request) override;

 private:
  class Impl;

  std::unique_ptr<Impl> impl_;
};

}  // namespace escan::loadgen
