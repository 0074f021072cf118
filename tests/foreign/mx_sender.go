// Sends one message as an application does: MX and address by Go's own resolver, then port 25.
//
//	mx_sender RECIPIENT HELO
//
// Prints the last reply. The exit code is 0 if the message is accepted, otherwise 1.
package main

import (
	"context"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"strings"
)

func send(recipient, helo string) error {
	resolver := &net.Resolver{PreferGo: true}
	exchanges, err := resolver.LookupMX(context.Background(), recipient[strings.LastIndex(recipient, "@")+1:])
	if err != nil {
		return err
	}
	addresses, err := resolver.LookupHost(context.Background(), exchanges[0].Host)
	if err != nil {
		return err
	}
	client, err := smtp.Dial(net.JoinHostPort(addresses[0], "25"))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Hello(helo); err != nil {
		return err
	}
	if err := client.Mail("postmaster@example.test"); err != nil {
		return err
	}
	if err := client.Rcpt(recipient); err != nil {
		return err
	}
	data, err := client.Data()
	if err != nil {
		return err
	}
	fmt.Fprint(data, "Subject: hello\r\n\r\nHello.\r\n")
	return data.Close()
}

func main() {
	if err := send(os.Args[1], os.Args[2]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("accepted")
}
