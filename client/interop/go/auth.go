package herald

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"
)

func random(count int) []byte {
	bytes := make([]byte, count)
	must(rand.Read(bytes))
	return bytes
}

// auth proves who calls: each attempt has a time and a nonce of its own.
func (client *Client) auth(call Call, payload []byte) Result {
	if client.Bearer != "" {
		return Result{"bearer": client.Bearer}
	} else if client.KeyID == "" {
		return nil
	}
	nonce, now := random(16), time.Now().UnixMilli()
	mac := hmac.New(sha256.New, client.Key)
	fmt.Fprintf(mac, "HERALD-HMAC-SHA256\n%s\n%d\n%x\n%s\n%s\n%s\n%x\n", client.KeyID, now, nonce, call.Method, call.User, call.IdempotencyKey, sha256.Sum256(payload))
	return Result{"signature": Result{"keyId": client.KeyID, "timeMs": now, "nonce": nonce, "user": call.User, "mac": mac.Sum(nil)}}
}
