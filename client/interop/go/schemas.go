package herald

import (
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

func lump(number protowire.Number, data []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), data)
}

// find returns the last such field of a message whose schema is not known yet.
func find(data []byte, wanted protowire.Number) (found []byte) {
	for len(data) > 0 {
		number, kind, length := protowire.ConsumeField(data)
		must(0, protowire.ParseError(length))
		if number == wanted && kind == protowire.BytesType {
			found, _ = protowire.ConsumeBytes(data[protowire.SizeTag(number):])
		}
		data = data[length:]
	}
	return found
}

// message makes an empty message; the server describes its type when it is needed first.
func (client *Client) message(name string) *dynamicpb.Message {
	client.mutex.Lock()
	defer client.mutex.Unlock()
	if client.types[name] == nil {
		reply, _, err := client.exchange(append(lump(1, []byte("herald.rpc.v1.Reflection/Describe")), lump(2, lump(1, []byte(name)))...), connectTime, connectTime)
		files := &descriptorpb.FileDescriptorSet{}
		must(0, proto.Unmarshal(find(find(must(reply, err), 5), 3), files))
		client.types[name] = must(must(protodesc.NewFiles(files)).FindDescriptorByName(protoreflect.FullName(name))).(protoreflect.MessageDescriptor)
	}
	return dynamicpb.NewMessage(client.types[name])
}

func (client *Client) pack(name string, text []byte) []byte {
	message := client.message(name)
	must(0, protojson.Unmarshal(text, message))
	return must(proto.Marshal(message))
}

func (client *Client) unpack(name string, data []byte) (fields Result) {
	message := client.message(name)
	must(0, proto.Unmarshal(data, message))
	must(0, json.Unmarshal(must(protojson.Marshal(message)), &fields))
	return fields
}
