// Calls any method of a Herald server, whose schemas come from its own Reflection: a library, and at the end the command.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"
	"go.nanomsg.org/mangos/v3"
	"go.nanomsg.org/mangos/v3/protocol/req"
	_ "go.nanomsg.org/mangos/v3/transport/all"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"herald.example/interop/rpc"
)

// With these reasons a server refuses a call before it begins: repeating it is safe, whatever its method does.
var notBegun = map[string]bool{"DRAINING": true, "TOO_MANY_CALLS": true, "TOO_MANY_CALLS_OF_METHOD": true, "QUEUE_TIMEOUT": true,
	"TOO_MANY_CALLS_OF_CALLER": true, "LIMIT_REACHED": true, "TOO_MANY_CONNECTIONS": true, "SIGNED_BEFORE_START": true}

// Client is a connection to one server; any number of goroutines may call at once.
type Client struct {
	KeyID, Key, Bearer string // who calls, by a shared key (its bytes) or by a token
	socket             mangos.Socket
	methods            sync.Map // protoreflect.MethodDescriptor by name
	tickets            atomic.Uint64
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Open begins to connect, with options of mangos' dialer.
func Open(url string, options map[string]any) *Client {
	client := &Client{socket: must(req.NewSocket())}
	// It would send again by itself, after a minute and on a lost connection: what takes effect once would do so twice.
	must(0, client.socket.SetOption(mangos.OptionRetryTime, time.Duration(0)))
	must(0, client.socket.SetOption(mangos.OptionMaxRecvSize, 257*1024))
	options[mangos.OptionDialAsynch] = true
	must(0, client.socket.DialOptions(url, options))
	return client
}

// exchange sends a request and returns its response with the outcome. A context is one call; contexts share the connection.
func (client *Client) exchange(request *rpc.Request, left, grace time.Duration) (*rpc.Response, string) {
	context, response := must(client.socket.OpenContext()), &rpc.Response{}
	defer context.Close()
	must(0, context.SetOption(mangos.OptionSendDeadline, left))
	must(0, context.SetOption(mangos.OptionRecvDeadline, left+grace))
	if context.Send(must(proto.Marshal(request))) != nil {
		return &rpc.Response{Code: rpc.Code_UNAVAILABLE, Reason: "NOT_CONNECTED"}, "NOT_SENT"
	}
	if reply, err := context.Recv(); err == mangos.ErrRecvTimeout {
		return &rpc.Response{Code: rpc.Code_DEADLINE_EXCEEDED, Reason: "NO_REPLY"}, "MAYBE_EXECUTED"
	} else if err != nil {
		return &rpc.Response{Code: rpc.Code_UNAVAILABLE, Reason: "CONNECTION_LOST"}, "MAYBE_EXECUTED"
	} else if err = proto.Unmarshal(reply, response); err != nil {
		return &rpc.Response{Code: rpc.Code_INTERNAL, Message: err.Error()}, "MAYBE_EXECUTED"
	} else if rpc.Code_name[int32(response.Code)] == "" {
		response.Code = rpc.Code_UNKNOWN // one that newer servers have
	}
	outcomes := map[bool]string{true: "MAYBE_EXECUTED", false: "EXECUTED"} // whether the server does not know
	return response, outcomes[response.Code != 0 && response.Done > 1 || response.Code == rpc.Code_UNKNOWN && response.Done == 0]
}

// method returns the schema of a method, or why there is none. The server is asked when the method is called first.
func (client *Client) method(name string) (protoreflect.MethodDescriptor, *rpc.Response) {
	if known, found := client.methods.Load(name); found {
		return known.(protoreflect.MethodDescriptor), nil
	}
	described, files := &rpc.DescribeResponse{}, &descriptorpb.FileDescriptorSet{}
	ask := &rpc.Request{Method: "herald.rpc.v1.Reflection/Describe", Payload: must(proto.Marshal(&rpc.DescribeRequest{Name: name}))}
	response, _ := client.exchange(ask, 2*time.Second, 0)
	if response.Code != rpc.Code_OK {
		return nil, response
	}
	must(0, proto.Unmarshal(response.Payload, described))
	must(0, proto.Unmarshal(described.FileDescriptorSet, files))
	known := must(must(protodesc.NewFiles(files)).FindDescriptorByName(protoreflect.FullName(strings.Replace(name, "/", ".", 1))))
	client.methods.Store(name, known)
	return known.(protoreflect.MethodDescriptor), nil
}

// auth proves who calls: each attempt has a time and a nonce of its own.
func (client *Client) auth(request *rpc.Request, user string) *rpc.Auth {
	if client.Bearer != "" {
		return &rpc.Auth{Proof: &rpc.Auth_Bearer{Bearer: client.Bearer}}
	} else if client.KeyID == "" {
		return nil
	}
	nonce, now, mac := uuid.New(), time.Now().UnixMilli(), hmac.New(sha256.New, []byte(client.Key))
	fmt.Fprintf(mac, "HERALD-HMAC-SHA256\n%s\n%d\n%x\n%s\n%s\n%s\n%x\n", client.KeyID, now, nonce[:], request.Method, user,
		request.IdempotencyKey, sha256.Sum256(request.Payload))
	signature := &rpc.Signature{KeyId: client.KeyID, TimeMs: now, Nonce: nonce[:], User: user, Mac: mac.Sum(nil)}
	return &rpc.Auth{Proof: &rpc.Auth_Signature{Signature: signature}}
}

// Do calls a method with a JSON request, for a user if the call is signed, and repeats that where it is safe and can help.
// The result is a herald.rpc.v1.Response with outcome (NOT_SENT, EXECUTED, MAYBE_EXECUTED), callId, attempts and response.
func (client *Client) Do(call *rpc.Request, body []byte, user string) (result map[string]any) {
	method, response := client.method(call.Method)
	if method == nil {
		return map[string]any{"outcome": "NOT_SENT", "code": response.Code.String(), "reason": response.Reason}
	}
	policy, message := proto.GetExtension(method.Options(), rpc.E_Policy).(*rpc.MethodPolicy), dynamicpb.NewMessage(method.Input())
	if err := protojson.Unmarshal(body, message); err != nil && body != nil {
		return map[string]any{"outcome": "NOT_SENT", "code": "INVALID_ARGUMENT", "message": err.Error()}
	}
	request := &rpc.Request{TimeoutMs: policy.DeadlineMs, CallId: must(uuid.NewV7()).String(), IdempotencyKey: uuid.NewString()}
	proto.Merge(request, call) // what the caller says counts
	request.Payload = must(proto.Marshal(message))
	end, outcome, once := time.Now().Add(time.Duration(request.TimeoutMs)*time.Millisecond), "", policy.Effect == rpc.Effect_ONCE
	for number, left := 1, time.Until(end); number <= 4 && left > 0; number, left = number+1, time.Until(end) {
		request.Attempt = &rpc.Attempt{Number: uint32(number) - 1, Ticket: client.tickets.Add(1)}
		request.TimeoutMs, request.Auth = uint32(left.Milliseconds())+1, client.auth(request, user)
		response, outcome = client.exchange(request, left, 500*time.Millisecond)
		result = map[string]any{"outcome": outcome, "callId": request.CallId, "attempts": number}
		if response.Reason == "NO_REPLY" { // nobody waits any more: the server may stop
			cancel := must(proto.Marshal(&rpc.CancelRequest{Ticket: request.Attempt.Ticket, DeadlineExceeded: true}))
			client.exchange(&rpc.Request{Method: "herald.rpc.v1.Calls/Cancel", Payload: cancel}, 100*time.Millisecond, 0)
		}
		wait := time.Duration(response.RetryAfterMs)*time.Millisecond + 20*time.Millisecond<<number*time.Duration(uuid.New()[0])/510
		passes := response.RetryAfterMs > 0 || response.Code == rpc.Code_UNAVAILABLE || response.Code == rpc.Code_ABORTED
		if !notBegun[response.Reason] && (once && response.Done != rpc.Done_NOTHING || !passes) || time.Until(end) <= wait {
			break
		}
		time.Sleep(wait)
	}
	must(0, json.Unmarshal(must(protojson.Marshal(response)), &result))
	if result["code"] = response.Code.String(); response.Code == rpc.Code_OK {
		answer := dynamicpb.NewMessage(method.Output())
		must(0, proto.Unmarshal(response.Payload, answer))
		result["response"] = json.RawMessage(must(protojson.Marshal(answer)))
	}
	return result
}

func main() {
	type input struct { // what the command line says, or a line of input
		URL, Method                                          string          `arg:""`
		Request                                              json.RawMessage `arg:"" optional:""`
		ID                                                   json.RawMessage `kong:"-"`
		CallID, IdempotencyKey, User, Sign, Bearer, Ca, Cert string
		TimeoutMs                                            uint32
	}
	args, options, all := input{}, map[string]any{}, sync.WaitGroup{}
	kong.Parse(&args)
	if args.Ca != "" {
		config := &tls.Config{RootCAs: x509.NewCertPool()}
		config.RootCAs.AppendCertsFromPEM(must(os.ReadFile(args.Ca)))
		if args.Cert != "" {
			config.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(args.Cert, args.Cert))}
		}
		options[mangos.OptionTLSConfig] = config
	}
	client := Open(args.URL, options)
	client.Bearer = args.Bearer
	if id, file, found := strings.Cut(args.Sign, ":"); found {
		client.KeyID, client.Key = id, string(must(base64.StdEncoding.DecodeString(string(must(os.ReadFile(file))))))
	}
	run := func(line input) map[string]any {
		call := &rpc.Request{Method: line.Method, CallId: line.CallID, IdempotencyKey: line.IdempotencyKey, TimeoutMs: line.TimeoutMs}
		result := client.Do(call, line.Request, line.User)
		result["id"] = line.ID
		fmt.Println(string(must(json.Marshal(result))))
		return result
	}
	if args.Method != "-" {
		if result := run(args); result["code"] != "OK" {
			os.Exit(map[any]int{"EXECUTED": 1, "NOT_SENT": 3, "MAYBE_EXECUTED": 4}[result["outcome"]])
		}
		return
	}
	for lines := json.NewDecoder(os.Stdin); lines.More(); {
		line := input{User: args.User}
		must(0, lines.Decode(&line))
		all.Add(1)
		go func() { defer all.Done(); run(line) }()
	}
	all.Wait()
}
