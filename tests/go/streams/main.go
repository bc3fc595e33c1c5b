// streams serves gRPC's interoperability service and its health, and lets streams end before it does. With an address it calls one: a
// stream of five messages in a second, time and again, and says what became of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	_ "google.golang.org/grpc/xds" // targets like xds:///cart.shop:80
)

// pauses are those before each message of a stream, in microseconds.
var pauses = []int32{200_000, 200_000, 200_000, 200_000, 200_000}

func main() {
	listen := flag.String("listen", ":9000", "where it serves")
	call := flag.String("call", "", "who is called")
	lasts := flag.Duration("for", time.Second, "how long streams are begun")
	callers := flag.Int("callers", 8, "how many streams there are at once")
	flag.Parse()
	var err error
	if *call == "" {
		err = serve(*listen)
	} else {
		err = load(*call, *callers, time.Now().Add(*lasts))
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	healthgrpc.RegisterHealthServer(server, health.NewServer())
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	go func() {
		<-ended
		server.GracefulStop()
	}()
	return server.Serve(listener)
}

// load has callers begin streams until the time is up, on one channel.
func load(address string, callers int, until time.Time) error {
	channel, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer channel.Close()
	client := testgrpc.NewTestServiceClient(channel)
	var succeeded, failed atomic.Int64
	var all sync.WaitGroup
	for i := 0; i < callers; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for time.Now().Before(until) {
				if err := stream(client); err != nil {
					log.Print(err)
					failed.Add(1)
					time.Sleep(100 * time.Millisecond)
				} else {
					succeeded.Add(1)
				}
			}
		}()
	}
	all.Wait()
	fmt.Printf("requests: %d succeeded, %d failed\n", succeeded.Load(), failed.Load())
	return nil
}

// stream asks for messages, and hears them all.
func stream(client testgrpc.TestServiceClient) error {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	call, err := client.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	asked := &testgrpc.StreamingOutputCallRequest{}
	for _, pause := range pauses {
		asked.ResponseParameters = append(asked.ResponseParameters, &testgrpc.ResponseParameters{Size: 100, IntervalUs: pause})
	}
	if err := call.Send(asked); err != nil {
		return err
	}
	if err := call.CloseSend(); err != nil {
		return err
	}
	for heard := 0; ; heard++ {
		switch _, err := call.Recv(); {
		case err == io.EOF && heard == len(pauses):
			return nil
		case err == io.EOF:
			return fmt.Errorf("the stream ended after %d messages", heard)
		case err != nil:
			return err
		}
	}
}
