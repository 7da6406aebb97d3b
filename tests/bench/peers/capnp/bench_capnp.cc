// Cap'n Proto RPC, both sides on KJ's event loop, which is one thread. A connection is a two-party client of its own.
#include "echo.capnp.h"
#include "tests/bench/peers/cell.h"

#include <capnp/message.h>
#include <capnp/rpc-twoparty.h>
#include <fstream>
#include <kj/async-io.h>
#include <kj/compat/tls.h>
#include <sstream>
#include <string>

namespace {

const unsigned kHeadWords = 16; // of a message beside its payload

std::string ReadFile(const char *path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

class EchoServer final : public Echo::Server {
  protected:
    kj::Promise<void> echo(EchoContext context) override {
        auto payload = context.getParams().getPayload();
        context.getResults(capnp::MessageSize{kHeadWords + payload.size() / 8, 0}).setPayload(payload);
        return kj::READY_NOW;
    }
};

kj::Own<kj::TlsContext> ServerTls(const cell *cell) {
    static const kj::TlsKeypair pair{kj::TlsPrivateKey(kj::StringPtr(ReadFile(cell->key_file).c_str())),
                                     kj::TlsCertificate(kj::StringPtr(ReadFile(cell->cert_file).c_str()))};
    kj::TlsContext::Options options;
    options.defaultKeypair = pair;
    return kj::heap<kj::TlsContext>(kj::mv(options));
}

kj::Own<kj::TlsContext> ClientTls(const cell *cell) {
    static const kj::TlsCertificate ca{kj::StringPtr(ReadFile(cell->ca_file).c_str())};
    kj::TlsContext::Options options;
    options.useSystemTrustStore = false;
    options.trustedCertificates = kj::arrayPtr(&ca, 1);
    return kj::heap<kj::TlsContext>(kj::mv(options));
}

void Serve(const cell *cell) {
    auto io = kj::setupAsyncIo();
    capnp::TwoPartyServer server(kj::heap<EchoServer>());
    auto listener = io.provider->getNetwork().parseAddress(CELL_HOST, cell->port).wait(io.waitScope)->listen();
    kj::Own<kj::TlsContext> tls;
    if (cell->tls) {
        tls = ServerTls(cell);
        listener = tls->wrapPort(kj::mv(listener));
    }
    server.listen(*listener).wait(io.waitScope);
}

struct Slot {
    const struct cell *cell;
    uint64_t number;
    Echo::Client *server;
};

// A call, and the next after it, without end.
kj::Promise<void> Ask(const Slot *slot) {
    const size_t bytes = slot->cell->bytes;
    auto request = slot->server->echoRequest(capnp::MessageSize{kHeadWords + bytes / 8, 0});
    cell_fill(request.initPayload(static_cast<unsigned>(bytes)).begin(), bytes, slot->number);
    const uint64_t started_ns = cell_now_ns();
    return request.send().then([slot, started_ns](capnp::Response<Echo::EchoResults> &&response) {
        auto payload = response.getPayload();
        cell_note(slot->cell, slot->number, started_ns, payload.begin(), payload.size());
        return Ask(slot);
    });
}

struct Line {
    Line(kj::Own<kj::AsyncIoStream> to)
        : stream(kj::mv(to)), client(*stream), server(client.bootstrap().castAs<Echo>()) {
    }

    kj::Own<kj::AsyncIoStream> stream;
    capnp::TwoPartyClient client;
    Echo::Client server;
};

void Call(const cell *cell) {
    auto io = kj::setupAsyncIo();
    auto address = io.provider->getNetwork().parseAddress(CELL_HOST, cell->port).wait(io.waitScope);
    kj::Own<kj::TlsContext> tls;
    if (cell->tls) {
        tls = ClientTls(cell);
    }
    kj::Vector<kj::Own<Line>> lines;
    kj::Vector<kj::Own<Slot>> slots;
    kj::Vector<kj::Promise<void>> calls;
    for (unsigned i = 0; i < cell->connections; i++) {
        auto stream = address->connect().wait(io.waitScope);
        if (tls.get() != nullptr) {
            stream = tls->wrapClient(kj::mv(stream), CELL_NAME).wait(io.waitScope);
        }
        lines.add(kj::heap<Line>(kj::mv(stream)));
        for (unsigned j = 0; j < cell->in_flight; j++) {
            slots.add(kj::heap<Slot>(Slot{cell, slots.size(), &lines.back()->server}));
            calls.add(Ask(slots.back()));
        }
    }
    kj::joinPromises(calls.releaseAsArray()).wait(io.waitScope);
}

// What KJ throws is what failed.
template <void (*run)(const cell *)> void Guarded(const cell *cell) {
    KJ_IF_MAYBE (failure, kj::runCatchingExceptions([cell] { run(cell); })) {
        cell_fail("%s", failure->getDescription().cStr());
    }
}

} // namespace

int main(int argc, char **argv) {
    const cell_system system = {"capnp", true, Guarded<Serve>, Guarded<Call>, false};
    return cell_main(&system, argc, argv);
}
