// The same small call as bench_rpc's, GetJob, through gRPC C++ in its fastest form: completion queues on both sides,
// one channel, server and client each a process of its own on one machine. The lines have bench_rpc's form.
// Usage: bench_grpc [SECONDS-EACH]
#include "herald/job/v1/job.grpc.pb.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <grpcpp/grpcpp.h>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using herald::job::v1::GetJobRequest;
using herald::job::v1::GetJobResponse;
using herald::job::v1::JobService;
using Clock = std::chrono::steady_clock;

namespace {

const char kJobId[] = "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e";
const auto kWarmUp = std::chrono::milliseconds(300);
const int kServerThreads = 2;

// One call on the server: waits for a request, answers it, and makes its successor.
class ServerCall {
public:
    ServerCall(JobService::AsyncService *service, grpc::ServerCompletionQueue *queue)
        : service_(service), queue_(queue), writer_(&context_) {
        service_->RequestGetJob(&context_, &request_, &writer_, queue_, queue_, this);
    }

    void Proceed() {
        if (answered_) {
            delete this;
            return;
        }
        new ServerCall(service_, queue_);
        GetJobResponse response;
        response.mutable_job()->set_job_id(request_.job_id());
        response.mutable_job()->set_status(herald::job::v1::RUNNING);
        answered_ = true;
        writer_.Finish(response, grpc::Status::OK, this);
    }

private:
    JobService::AsyncService *service_;
    grpc::ServerCompletionQueue *queue_;
    grpc::ServerContext context_;
    GetJobRequest request_;
    grpc::ServerAsyncResponseWriter<GetJobResponse> writer_;
    bool answered_ = false;
};

void Serve(int port_pipe) {
    JobService::AsyncService service;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
    for (int i = 0; i < kServerThreads; i++)
        queues.push_back(builder.AddCompletionQueue());
    auto server = builder.BuildAndStart();
    if (!server || write(port_pipe, &port, sizeof port) != sizeof port)
        exit(EXIT_FAILURE);
    std::vector<std::thread> threads;
    for (auto &queue : queues) {
        for (int i = 0; i < 128; i++)
            new ServerCall(&service, queue.get());
        threads.emplace_back([&queue] {
            void *tag;
            bool ok;
            while (queue->Next(&tag, &ok))
                if (ok)
                    static_cast<ServerCall *>(tag)->Proceed();
        });
    }
    threads[0].join(); // until the process is ended
}

struct ClientCall {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<GetJobResponse>> reader;
    GetJobResponse response;
    grpc::Status status;
    Clock::time_point started;
};

void Start(ClientCall *call, JobService::Stub *stub, grpc::CompletionQueue *queue) {
    GetJobRequest request;
    request.set_job_id(kJobId);
    call->started = Clock::now();
    call->context = std::make_unique<grpc::ClientContext>();
    call->context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    call->reader = stub->AsyncGetJob(call->context.get(), request, queue);
    call->reader->Finish(&call->response, &call->status, call);
}

void Measure(int port, unsigned in_flight, double seconds) {
    auto stub = JobService::NewStub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
    grpc::CompletionQueue queue;
    std::vector<ClientCall> calls(in_flight);
    std::vector<unsigned> latencies;
    unsigned long failures = 0;
    latencies.reserve(4000000);
    for (auto &call : calls)
        Start(&call, stub.get(), &queue);
    const auto begin = Clock::now() + kWarmUp;
    const auto end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    unsigned running = in_flight;
    void *tag;
    bool ok;
    while (running > 0 && queue.Next(&tag, &ok)) {
        auto *call = static_cast<ClientCall *>(tag);
        const auto now = Clock::now();
        if (now >= begin && now < end) {
            latencies.push_back(static_cast<unsigned>(
                std::chrono::duration_cast<std::chrono::microseconds>(now - call->started).count()));
            failures += !call->status.ok();
        }
        if (now < end)
            Start(call, stub.get(), &queue);
        else
            running--;
    }
    std::sort(latencies.begin(), latencies.end());
    auto percentile = [&](double part) {
        return latencies.empty() ? 0 : latencies[static_cast<size_t>(static_cast<double>(latencies.size() - 1) * part)];
    };
    printf("{\"bench\":\"rpc\",\"what\":\"grpc_cpp\",\"in_flight\":%u,\"calls_per_s\":%.0f,\"p50_us\":%u,\"p99_us\":%u,"
           "\"p999_us\":%u,\"calls\":%zu,\"failures\":%lu}\n",
           in_flight, static_cast<double>(latencies.size()) / seconds, percentile(0.5), percentile(0.99),
           percentile(0.999), latencies.size(), failures);
    fflush(stdout);
}

} // namespace

int main(int argc, char **argv) {
    const double seconds = argc > 1 ? atof(argv[1]) : 3;
    int port_pipe[2], port = 0;
    if (pipe(port_pipe) != 0)
        return EXIT_FAILURE;
    const pid_t child = fork(); // before gRPC starts any thread
    if (child == 0)
        Serve(port_pipe[1]);
    if (child < 0 || read(port_pipe[0], &port, sizeof port) != sizeof port)
        return EXIT_FAILURE;
    for (unsigned in_flight : {64u, 1u})
        Measure(port, in_flight, seconds);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    return EXIT_SUCCESS;
}
