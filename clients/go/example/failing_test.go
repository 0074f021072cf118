//go:build failing

// A test that fails, to show its output: go test -tags failing ./example
package example

import (
	"net/smtp"
	"testing"

	"martinet.test/martinet"
)

func TestThatIsWrong(t *testing.T) {
	mx := martinet.New(t, martinet.Options{Scenario: "no-ptr", Receiver: "fcrdns"})
	_ = smtp.SendMail(mx.SMTP, nil, "a@example.test", []string{"b@contoso.test"}, []byte("Subject: x\r\n\r\nx\r\n"))
	mx.WaitForSession(martinet.Filter{}).AssertAccepted()
}
