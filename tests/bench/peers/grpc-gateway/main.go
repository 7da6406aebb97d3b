// GetJob over HTTP as grpc-gateway has it: a gRPC server that answers at once, and the gateway in front of it, each a
// process of its own. The gateway is its authors' with its defaults.
//
// usage: peer server HOST:PORT | peer gateway HOST:PORT SERVER-HOST:PORT
package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"herald.example/bench/grpc-gateway/job"
)

type jobService struct {
	job.UnimplementedJobServiceServer
}

// As the handler of tests/bench/server.c.
func (jobService) GetJob(_ context.Context, request *job.GetJobRequest) (*job.GetJobResponse, error) {
	return &job.GetJobResponse{Job: &job.Job{JobId: request.JobId, Status: job.JobStatus_RUNNING}}, nil
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	job.RegisterJobServiceServer(server, jobService{})
	return server.Serve(listener)
}

func serveHTTP(address, backend string) error {
	mux := runtime.NewServeMux()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if err := job.RegisterJobServiceHandlerFromEndpoint(context.Background(), mux, backend, options); err != nil {
		return err
	}
	return http.ListenAndServe(address, mux)
}

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "server":
		err = serve(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "gateway":
		err = serveHTTP(os.Args[2], os.Args[3])
	default:
		log.Fatal("usage: peer server HOST:PORT | peer gateway HOST:PORT SERVER-HOST:PORT")
	}
	log.Fatal(err)
}
