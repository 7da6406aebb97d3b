// gRPC C++ in its fastest form: completion queues on both sides. A connection is a channel with a subchannel pool of its
// own. Each side has one thread and one queue. That was fastest on two cores in most rows, and cost least processor time
// in all but payload_64k; HERALD_BENCH_GRPC_THREADS=SERVER,CLIENT tries other numbers.
#include "herald/bench/v1/echo.grpc.pb.h"
#include "tests/bench/peers/cell.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <grpcpp/grpcpp.h>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using herald::bench::v1::EchoRequest;
using herald::bench::v1::EchoResponse;
using herald::bench::v1::EchoService;

namespace {

const int kSpareCalls = 64; // of each queue

struct Threads {
    unsigned server = 1, client = 1;
};

Threads ReadThreads() {
    Threads threads;
    const char *text = getenv("HERALD_BENCH_GRPC_THREADS");
    if (text != nullptr &&
        (sscanf(text, "%u,%u", &threads.server, &threads.client) != 2 || threads.server == 0 || threads.client == 0)) {
        cell_fail("HERALD_BENCH_GRPC_THREADS is not SERVER,CLIENT");
    }
    return threads;
}

std::string Address(const cell *cell) {
    return std::string(CELL_HOST) + ":" + std::to_string(cell->port);
}

std::string ReadFile(const char *path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// One call on the server: waits for a request, answers it, and makes its successor.
class ServerCall {
  public:
    ServerCall(EchoService::AsyncService *service, grpc::ServerCompletionQueue *queue)
        : service_(service), queue_(queue), writer_(&context_) {
        service_->RequestEcho(&context_, &request_, &writer_, queue_, queue_, this);
    }

    void Proceed(bool ok) {
        if (answered_ || !ok) {
            delete this;
            return;
        }
        new ServerCall(service_, queue_);
        EchoResponse response;
        response.set_allocated_payload(request_.release_payload());
        answered_ = true;
        writer_.Finish(response, grpc::Status::OK, this);
    }

  private:
    EchoService::AsyncService *service_;
    grpc::ServerCompletionQueue *queue_;
    grpc::ServerContext context_;
    EchoRequest request_;
    grpc::ServerAsyncResponseWriter<EchoResponse> writer_;
    bool answered_ = false;
};

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const cell *cell) {
    if (!cell->tls) {
        return grpc::InsecureServerCredentials();
    }
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back({ReadFile(cell->key_file), ReadFile(cell->cert_file)});
    return grpc::SslServerCredentials(options);
}

void Serve(const cell *cell) {
    EchoService::AsyncService service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(Address(cell), ServerCredentials(cell));
    builder.RegisterService(&service);
    std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
    const unsigned count = ReadThreads().server;
    for (unsigned i = 0; i < count; i++) {
        queues.push_back(builder.AddCompletionQueue());
    }
    auto server = builder.BuildAndStart();
    if (!server) {
        cell_fail("the server does not start");
    }
    std::vector<std::thread> threads;
    for (auto &queue : queues) {
        for (unsigned i = 0; i < cell->connections * cell->in_flight / count + kSpareCalls; i++) {
            new ServerCall(&service, queue.get());
        }
        threads.emplace_back([&queue] {
            void *tag;
            bool ok;
            while (queue->Next(&tag, &ok)) {
                static_cast<ServerCall *>(tag)->Proceed(ok);
            }
        });
    }
    threads[0].join(); // until the process is ended
}

struct Slot {
    EchoService::Stub *stub;
    grpc::CompletionQueue *queue;
    uint64_t number, started_ns;
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<EchoResponse>> reader;
    EchoRequest request;
    EchoResponse response;
    grpc::Status status;
};

void Ask(const cell *cell, Slot *slot) {
    std::string *payload = slot->request.mutable_payload();
    payload->resize(cell->bytes);
    cell_fill(&(*payload)[0], cell->bytes, slot->number);
    slot->started_ns = cell_now_ns();
    slot->context = std::make_unique<grpc::ClientContext>();
    slot->context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    slot->reader = slot->stub->AsyncEcho(slot->context.get(), slot->request, slot->queue);
    slot->reader->Finish(&slot->response, &slot->status, slot);
}

void Drive(const cell *cell, grpc::CompletionQueue *queue) {
    void *tag;
    bool ok;
    while (queue->Next(&tag, &ok)) {
        auto *slot = static_cast<Slot *>(tag);
        if (!slot->status.ok()) {
            cell_fail("%d: %s", slot->status.error_code(), slot->status.error_message().c_str());
        }
        cell_note(cell, slot->number, slot->started_ns, slot->response.payload().data(),
                  slot->response.payload().size());
        Ask(cell, slot);
    }
}

std::shared_ptr<grpc::Channel> Connect(const cell *cell) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
    if (cell->tls) {
        grpc::SslCredentialsOptions options;
        options.pem_root_certs = ReadFile(cell->ca_file);
        credentials = grpc::SslCredentials(options);
        arguments.SetSslTargetNameOverride(CELL_NAME);
    }
    auto channel = grpc::CreateCustomChannel(Address(cell), credentials, arguments);
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20))) {
        cell_fail("a channel does not connect");
    }
    return channel;
}

void Call(const cell *cell) {
    std::vector<grpc::CompletionQueue> queues(ReadThreads().client);
    std::vector<std::unique_ptr<EchoService::Stub>> stubs;
    std::vector<Slot> slots(cell->connections * cell->in_flight);
    for (unsigned i = 0; i < cell->connections; i++) {
        stubs.push_back(EchoService::NewStub(Connect(cell)));
    }
    for (size_t i = 0; i < slots.size(); i++) {
        slots[i].stub = stubs[i / cell->in_flight].get();
        slots[i].queue = &queues[i % queues.size()];
        slots[i].number = i;
        Ask(cell, &slots[i]);
    }
    std::vector<std::thread> threads;
    for (auto &queue : queues) {
        threads.emplace_back([cell, &queue] { Drive(cell, &queue); });
    }
    threads[0].join(); // until the process ends
}

} // namespace

int main(int argc, char **argv) {
    const cell_system system = {"grpc", true, Serve, Call, false};
    return cell_main(&system, argc, argv);
}
