module herald.example/interop

go 1.19

require (
	go.nanomsg.org/mangos/v3 v3.4.2
	google.golang.org/protobuf v1.31.0
)

require (
	github.com/Microsoft/go-winio v0.5.2 // indirect
	github.com/alecthomas/kong v0.6.1
	github.com/google/uuid v1.6.0
	github.com/gorilla/websocket v1.5.0 // indirect
	golang.org/x/sys v0.0.0-20210124154548-22da62e12c0c // indirect
)
