// Command herald calls any method of a Herald server.
//
//	herald [-timeout-ms N] [-idempotency-key K] [-call-id ID] [-user U] [-sign KEY_ID:FILE | -bearer TOKEN]
//	       [-ca FILE [-cert FILE]] URL METHOD [JSON]
//	herald URL - < LINES      each line {"method":…, "request":{…}, "timeoutMs":…, …}; many at once, one connection
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"

	"go.nanomsg.org/mangos/v3"
	"herald.example/interop"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "herald:", err)
		os.Exit(2)
	}
}

func transport(url, ca, cert string) map[string]interface{} {
	if ca == "" {
		return map[string]interface{}{}
	}
	pem, err := os.ReadFile(ca)
	check(err)
	roots, address := x509.NewCertPool(), strings.TrimPrefix(url, "tls+tcp://")
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: roots, ServerName: address[:strings.LastIndex(address, ":")]}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, cert)
		check(err)
		config.Certificates = []tls.Certificate{pair}
	}
	return map[string]interface{}{mangos.OptionTLSConfig: config}
}

func main() {
	defer func() {
		if failure := recover(); failure != nil {
			check(fmt.Errorf("%v", failure))
		}
	}()
	var call herald.Call
	flag.Int64Var(&call.TimeoutMs, "timeout-ms", 0, "deadline; 0: the method's own")
	flag.StringVar(&call.IdempotencyKey, "idempotency-key", "", "key of a ONCE method; empty: a random one")
	flag.StringVar(&call.CallID, "call-id", "", "UUID for logs and traces; empty: the server makes one")
	user := flag.String("user", "", "for whom to act")
	sign := flag.String("sign", "", "KEY_ID:FILE, a key in base64")
	bearer := flag.String("bearer", "", "token")
	ca := flag.String("ca", "", "certificates to trust, PEM")
	cert := flag.String("cert", "", "own certificate and its key in one file, PEM, for mutual TLS")
	flag.Parse()
	client := herald.Open(flag.Arg(0), transport(flag.Arg(0), *ca, *cert))
	client.User, client.Bearer = *user, *bearer
	if id, file, found := strings.Cut(*sign, ":"); found {
		text, err := os.ReadFile(file)
		check(err)
		client.Key, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		check(err)
		client.KeyID = id
	}
	output, mutex := json.NewEncoder(os.Stdout), sync.Mutex{}
	run := func(call herald.Call) herald.Result {
		result := client.Do(call)
		result["id"] = call.ID
		mutex.Lock()
		defer mutex.Unlock()
		check(output.Encode(result))
		return result
	}
	if flag.Arg(1) != "-" {
		call.Method = flag.Arg(1)
		if flag.NArg() > 2 {
			call.Request = json.RawMessage(flag.Arg(2))
		}
		result := run(call)
		status, special := map[interface{}]int{"NOT_SENT": 3, "MAYBE_EXECUTED": 4}[result["outcome"]]
		if !special && result["code"] != "OK" {
			status = 1
		}
		os.Exit(status)
	}
	calls, all := json.NewDecoder(os.Stdin), sync.WaitGroup{}
	for calls.More() {
		var line herald.Call
		check(calls.Decode(&line))
		all.Add(1)
		go func() { defer all.Done(); run(line) }()
	}
	all.Wait()
}
