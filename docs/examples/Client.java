import com.google.protobuf.ByteString;
import inference.GRPCInferenceServiceGrpc;
import inference.GrpcService.ModelInferRequest;
import inference.GrpcService.ModelInferResponse;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;

/** Client ADDR:PORT: asks the Fashion-MNIST cascade for two images. */
public final class Client {
  private static final int IMAGES = 2;

  /** The bytes of an output; they come in the order of the outputs. */
  private static ByteBuffer output(ModelInferResponse answer, String name) {
    for (int i = 0; i < answer.getOutputsCount(); i++) {
      if (answer.getOutputs(i).getName().equals(name)) {
        return answer.getRawOutputContents(i).asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
      }
    }
    throw new IllegalStateException("no output " + name);
  }

  public static void main(String[] arguments) throws InterruptedException {
    ManagedChannel channel =
        ManagedChannelBuilder.forTarget(arguments[0]).usePlaintext().build();
    ModelInferRequest request =
        ModelInferRequest.newBuilder()
            .setModelName("fashion_mnist")
            .addInputs(
                ModelInferRequest.InferInputTensor.newBuilder()
                    .setName("image")
                    .setDatatype("UINT8")
                    .addShape(IMAGES)
                    .addShape(28)
                    .addShape(28))
            .addRawInputContents(ByteString.copyFrom(new byte[IMAGES * 28 * 28]))
            .build();
    ModelInferResponse answer =
        GRPCInferenceServiceGrpc.newBlockingStub(channel)
            .withDeadlineAfter(10, TimeUnit.SECONDS)
            .modelInfer(request);
    ByteBuffer probabilities = output(answer, "probabilities");
    ByteBuffer stages = output(answer, "exit_stage");
    int classes = probabilities.remaining() / 4 / IMAGES;
    for (int i = 0; i < IMAGES; i++) {
      int best = 0;
      float highest = -1;
      for (int c = 0; c < classes; c++) {
        float value = probabilities.getFloat();
        if (value > highest) {
          highest = value;
          best = c;
        }
      }
      System.out.println("class " + best + " from stage " + stages.getInt());
    }
    channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
  }
}
