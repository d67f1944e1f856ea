// client ADDR:PORT asks the Fashion-MNIST cascade for two images.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"math"
	"os"
	"time"

	"escan/inference"
	"google.golang.org/grpc"
)

const images = 2

// output gives the bytes of an output; they come in the order of the outputs.
func output(answer *inference.ModelInferResponse, name string) []byte {
	for i, tensor := range answer.Outputs {
		if tensor.Name == name {
			return answer.RawOutputContents[i]
		}
	}
	log.Fatalf("no output %s", name)
	return nil
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: client ADDR:PORT")
	}
	connection, err := grpc.Dial(os.Args[1], grpc.WithInsecure())
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer, err := inference.NewGRPCInferenceServiceClient(connection).ModelInfer(ctx,
		&inference.ModelInferRequest{
			ModelName: "fashion_mnist",
			Inputs: []*inference.ModelInferRequest_InferInputTensor{
				{Name: "image", Datatype: "UINT8", Shape: []int64{images, 28, 28}}},
			RawInputContents: [][]byte{make([]byte, images*28*28)},
		})
	if err != nil {
		log.Fatal(err)
	}
	probabilities, stages := output(answer, "probabilities"), output(answer, "exit_stage")
	classes := len(probabilities) / 4 / images
	for i := 0; i < images; i++ {
		best, highest := 0, float32(-1)
		for class := 0; class < classes; class++ {
			bits := binary.LittleEndian.Uint32(probabilities[4*(i*classes+class):])
			if value := math.Float32frombits(bits); value > highest {
				best, highest = class, value
			}
		}
		fmt.Printf("class %d from stage %d\n", best, binary.LittleEndian.Uint32(stages[4*i:]))
	}
}
