// Package martinet tests mail senders against martinet, the mail server that refuses mail on purpose.
//
// New gives a test its own world: one scenario and one receiver on their own ports. The program is started at the first
// world, or the server at the variable MARTINET is used. A failed assertion prints the session.
//
//	func TestRefused(t *testing.T) {
//		mx := martinet.New(t, martinet.Options{Scenario: "no-ptr", Receiver: "fcrdns"})
//		sendMail(mx.SMTP) // the software under test
//		mx.WaitForSession(martinet.Filter{}).AssertRejected(martinet.Reply{Rule: "iprev", Code: 550})
//	}
package martinet
