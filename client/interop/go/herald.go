// Package herald calls any method of a Herald server: mangos, protobuf, and proto/WIRE.md. No generated code: the schemas
// come from the server's own Reflection.
package herald

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.nanomsg.org/mangos/v3"
	"go.nanomsg.org/mangos/v3/protocol/req"
	_ "go.nanomsg.org/mangos/v3/transport/all"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const maxAttempts, maxBytes, connectTime, grace = 4, 256 * 1024, 2 * time.Second, 500 * time.Millisecond

// With these a server refuses a call before it begins: repeating it is safe whatever the method does.
var notBegun = map[interface{}]bool{"DRAINING": true, "TOO_MANY_CALLS": true, "TOO_MANY_CALLS_OF_METHOD": true, "TOO_MANY_CALLS_OF_CALLER": true,
	"QUEUE_TIMEOUT": true, "LIMIT_REACHED": true}
var again = map[interface{}]bool{"UNAVAILABLE": true, "RESOURCE_EXHAUSTED": true, "ABORTED": true}

type Method struct {
	Name, RequestType, ResponseType, Effect string
	DeadlineMs                              int64
}

// Client is a connection to one server; any number of goroutines may call at once. It panics when it has no schemas.
type Client struct {
	socket              mangos.Socket
	mutex               sync.Mutex
	types               map[string]protoreflect.MessageDescriptor
	Methods             map[string]Method
	ticket              uint64
	KeyID, Bearer, User string // User: for whom it acts, where a call does not say
	Key                 []byte
}

// Call says what to call, and how. All but Method may be empty.
type Call struct {
	ID, Request                          json.RawMessage
	Method, CallID, IdempotencyKey, User string
	TimeoutMs                            int64
}

// Result is a herald.rpc.v1.Response as JSON, with outcome (NOT_SENT, EXECUTED, MAYBE_EXECUTED), callId, attempts, response.
type Result = map[string]interface{}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func Open(url string, options map[string]interface{}) *Client {
	client := &Client{socket: must(req.NewSocket()), types: map[string]protoreflect.MessageDescriptor{}}
	// RetryTime: it would send again by itself after a minute and on every lost connection, and what takes effect once
	// would do so twice.
	must(0, client.socket.SetOption(mangos.OptionRetryTime, time.Duration(0)))
	must(0, client.socket.SetOption(mangos.OptionMaxRecvSize, maxBytes+1024))
	options[mangos.OptionDialAsynch] = true
	must(0, client.socket.DialOptions(url, options))
	list := Method{"herald.rpc.v1.Reflection/ListServices", "herald.rpc.v1.ListServicesRequest", "herald.rpc.v1.ListServicesResponse", "READ", 2000}
	client.Methods = map[string]Method{list.Name: list}
	var services struct{ Services []struct{ Methods []Method } }
	must(0, json.Unmarshal(must(json.Marshal(client.Do(Call{Method: list.Name})["response"])), &services))
	for _, service := range services.Services {
		for _, method := range service.Methods {
			client.Methods[method.Name] = method
		}
	}
	return client
}

// exchange sends one message and returns its reply. A context is one call; contexts share the connection.
func (client *Client) exchange(data []byte, send, receive time.Duration) (reply []byte, outcome string, err error) {
	context := must(client.socket.OpenContext())
	defer context.Close()
	must(0, context.SetOption(mangos.OptionSendDeadline, send))
	must(0, context.SetOption(mangos.OptionRecvDeadline, receive))
	if err = context.Send(data); err != nil {
		return nil, "NOT_SENT", err // no connection took it
	}
	if reply, err = context.Recv(); err != nil {
		return nil, "MAYBE_EXECUTED", err
	}
	return reply, "EXECUTED", nil
}

func (client *Client) attempt(call Call, payload []byte, number int, left time.Duration) Result {
	ticket := atomic.AddUint64(&client.ticket, 1)
	envelope := Result{"method": call.Method, "payload": payload, "timeoutMs": left.Milliseconds() + 1, "callId": call.CallID, "idempotencyKey": call.IdempotencyKey,
		"attempt": Result{"number": number, "ticket": ticket}, "auth": client.auth(call, payload)}
	data := client.pack("herald.rpc.v1.Request", must(json.Marshal(envelope)))
	if len(data) > maxBytes {
		return Result{"outcome": "NOT_SENT", "code": "RESOURCE_EXHAUSTED", "reason": "MESSAGE_TOO_BIG"}
	}
	reply, outcome, err := client.exchange(data, left, left+grace)
	if err == mangos.ErrRecvTimeout { // nobody waits any more: the server may stop
		_, _, _ = client.exchange(append(lump(1, []byte("herald.rpc.v1.Calls/Cancel")), lump(2, protowire.AppendVarint([]byte{8}, ticket))...), grace, grace)
		return Result{"outcome": outcome, "code": "DEADLINE_EXCEEDED", "reason": "NO_REPLY", "message": err.Error()}
	} else if err != nil {
		return Result{"outcome": outcome, "code": "UNAVAILABLE", "reason": map[string]string{"NOT_SENT": "NOT_CONNECTED"}[outcome], "message": err.Error()}
	}
	result := client.unpack("herald.rpc.v1.Response", reply)
	if _, failed := result["code"]; !failed {
		result["code"] = "OK"
	}
	result["outcome"] = outcome
	return result
}

// Do calls a method, and repeats the call where that is safe and can help.
func (client *Client) Do(call Call) (result Result) {
	method, found := client.Methods[call.Method]
	if !found {
		return Result{"outcome": "NOT_SENT", "code": "UNIMPLEMENTED", "reason": "UNKNOWN_METHOD", "message": "the server does not list " + call.Method}
	}
	if call.Request == nil {
		call.Request = json.RawMessage("{}")
	}
	if call.TimeoutMs == 0 {
		call.TimeoutMs = method.DeadlineMs
	}
	if call.User == "" {
		call.User = client.User
	}
	if call.IdempotencyKey == "" && method.Effect == "ONCE" {
		call.IdempotencyKey = fmt.Sprintf("%x", random(16))
	}
	payload, end := client.pack(method.RequestType, call.Request), time.Now().Add(time.Duration(call.TimeoutMs)*time.Millisecond)
	for number, most := 0, 20*time.Millisecond; number < maxAttempts; number, most = number+1, 2*most {
		result = client.attempt(call, payload, number, time.Until(end))
		result["attempts"], result["callId"] = number+1, call.CallID
		wait := most * time.Duration(random(1)[0]) / 255
		if asked, _ := result["retryAfterMs"].(float64); time.Duration(asked)*time.Millisecond > wait {
			wait = time.Duration(asked) * time.Millisecond
		}
		safe := method.Effect != "ONCE" || notBegun[result["reason"]]
		if !again[result["code"]] || !safe || result["reason"] == "MESSAGE_TOO_BIG" || time.Until(end) <= wait {
			break
		}
		time.Sleep(wait)
	}
	if result["code"] == "OK" {
		text, _ := result["payload"].(string)
		result["response"] = client.unpack(method.ResponseType, must(base64.StdEncoding.DecodeString(text)))
	}
	return result
}
