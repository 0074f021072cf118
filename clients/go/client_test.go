package martinet

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func send(world *World) error {
	return smtp.SendMail(world.SMTP, nil, "a@example.test", []string{"b@contoso.test"}, []byte("Subject: x\r\n\r\nIt works.\r\n"))
}

// said replaces a test that fails: it keeps the output of a failed assertion.
type said struct {
	text   string
	failed bool
	ends   []func()
}

type ended struct{}

func (s *said) Cleanup(end func()) { s.ends = append(s.ends, end) }
func (s *said) Failed() bool       { return s.failed }
func (s *said) Helper()            {}
func (s *said) Logf(format string, arguments ...any) {
	s.text += fmt.Sprintf(format, arguments...) + "\n"
}
func (s *said) Errorf(format string, arguments ...any) {
	s.failed = true
	s.Logf(format, arguments...)
}
func (s *said) Fatalf(format string, arguments ...any) {
	s.Errorf(format, arguments...)
	panic(ended{})
}

// failure runs a test that must fail, and returns its output.
func failure(t *testing.T, test func(TB)) string {
	t.Helper()
	said := &said{}
	func() {
		defer func() {
			for i := len(said.ends) - 1; i >= 0; i-- {
				said.ends[i]()
			}
			if reason := recover(); reason != nil && reason != (ended{}) {
				panic(reason)
			}
		}()
		test(said)
	}()
	if !said.failed {
		t.Fatal("the test passed")
	}
	return said.text
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

func TestRefusalHasRuleReplyAndRemedies(t *testing.T) {
	t.Parallel()
	world := New(t, Options{Scenario: "no-ptr", Receiver: "fcrdns"})
	if send(world) == nil {
		t.Fatal("the message was accepted")
	}
	session := world.WaitForSession(Filter{Verdict: "reject", Code: 550})
	session.AssertRejected(Reply{Rule: "iprev", Code: 550, Enhanced: "5.7.25"})
	if session.Refusals[0].Remedies.OneOf[0].Text == "" || !strings.HasPrefix(session.Picture(), "<svg") {
		t.Errorf("%+v", session.Refusals)
	}
	contains(t, session.Transcript(), "550 5.7.25")
}

func TestFailureReadsAsAStory(t *testing.T) {
	t.Parallel()
	story := []string{"found reject, iprev, 550", "PTR: NXDOMAIN", "550 5.7.25"}
	for expected, assert := range map[string]func(Session){
		"expected a session with verdict accept":                       Session.AssertAccepted,
		"expected a session with verdict reject, rule iprev, code 421": func(s Session) { s.AssertRejected(Reply{Rule: "iprev", Code: 421}) },
		"expected a session with verdict defer":                        func(s Session) { s.AssertDeferred(Reply{}) },
	} {
		text := failure(t, func(t TB) {
			world := New(t, Options{Scenario: "no-ptr", Receiver: "fcrdns"})
			_ = send(world)
			assert(world.WaitForSession(Filter{}))
		})
		contains(t, text, append(story, expected)...)
		if strings.Count(text, "PTR: NXDOMAIN") > 1+strings.Count(text, "martinet session") {
			t.Errorf("the story is printed twice:\n%s", text)
		}
	}
}

func TestTestThatFailsForAnotherReasonLogsItsSessions(t *testing.T) {
	t.Parallel()
	text := failure(t, func(t TB) {
		world := New(t, Options{Scenario: "no-ptr", Receiver: "fcrdns"})
		_ = send(world)
		world.WaitForSession(Filter{})
		t.Fatalf("the mailer did not bounce")
	})
	contains(t, text, "the mailer did not bounce", "martinet session 1", "PTR: NXDOMAIN")
}

func TestAcceptedMessageIsFound(t *testing.T) {
	t.Parallel()
	world := New(t, Options{Scenario: "one-to-one", Receiver: "lenient"})
	one := 1
	world.Expect("one message", Filter{Verdict: "accept"}, Times{Least: 1, Most: &one})
	if err := send(world); err != nil {
		t.Fatal(err)
	}
	mail := world.WaitForMail(1, MailFilter{Recipient: "b@contoso.test"})[0]
	if mail.Sender != "a@example.test" || !strings.Contains(mail.Content(), "It works.") {
		t.Errorf("%+v", mail)
	}
	world.Sessions(Filter{Verdict: "accept"})[0].AssertAccepted()
}

func TestWorldThatExistsIsFoundAndKept(t *testing.T) {
	server, err := Serve("--scenario", "no-ptr", "--receiver", "fcrdns")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	t.Run("its test", func(t *testing.T) {
		main := server.ExistingWorld(t, "main")
		_ = send(main)
		main.WaitForSession(Filter{}).AssertRejected(Reply{Rule: "iprev"})
	})
	if main := server.ExistingWorld(t, "main"); main.Scenario != "no-ptr" {
		t.Errorf("found %v", main)
	}
	contains(t, failure(t, func(t TB) { server.ExistingWorld(t, "nosuch") }), "nosuch")
}

func TestExpectationThatIsNotMetFails(t *testing.T) {
	t.Parallel()
	text := failure(t, func(t TB) {
		New(t, Options{}).Expect("one message", Filter{Verdict: "accept"}, Times{Least: 1})
	})
	contains(t, text, "one message")
}

func TestWaitThatFailsTellsWhatWasSeen(t *testing.T) {
	t.Parallel()
	text := failure(t, func(t TB) {
		world := New(t, Options{Scenario: "one-to-one", Receiver: "lenient"})
		world.Timeout = 100 * time.Millisecond
		_ = send(world)
		world.WaitForSession(Filter{Rule: "iprev"})
	})
	contains(t, text, "iprev; 0 matched", "seen: ")
	text = failure(t, func(t TB) { New(t, Options{}).WaitForSession(Filter{Rule: "iprv"}) })
	contains(t, text, "400 rule: ", "iprev")
}

func TestWorldIsChangedWhileItRuns(t *testing.T) {
	t.Parallel()
	world := New(t, Options{Scenario: "one-to-one", Receiver: "title = \"Greylists\"\n[[rule]]\ncheck = \"greylist\"\ndelay = \"5m\"\n"})
	_ = send(world)
	world.WaitForSession(Filter{}).AssertDeferred(Reply{Rule: "greylist"})
	world.Advance(301 * time.Second)
	_ = send(world)
	world.WaitForSession(Filter{Verdict: "accept"})
	world.SetReceiver("fcrdns")
	world.SetClient(map[string]any{"address": "192.0.2.10"})
	world.SetFaults(map[string]any{"name": "10.2.0.192.in-addr.arpa.", "type": "PTR", "do": "servfail"})
	world.ResetJournal()
	_ = send(world)
	world.WaitForSession(Filter{}).AssertDeferred(Reply{Rule: "iprev"})
	world.SetFaults()
	world.SetZone("2.0.192.in-addr.arpa", "10 PTR other.elsewhere.test.")
	world.ResetJournal()
	_ = send(world)
	world.WaitForSession(Filter{}).AssertRejected(Reply{Rule: "iprev"})
	world.SetScenario("one-to-one")
	world.Reset()
}

func TestDNSQueriesAreRecorded(t *testing.T) {
	t.Parallel()
	world := New(t, Options{Scenario: "one-to-one"})
	dns, err := net.Dial("udp", world.DNS)
	if err != nil {
		t.Fatal(err)
	}
	defer dns.Close()
	_, _ = dns.Write([]byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07contoso\x04test\x00\x00\x0f\x00\x01"))
	query := world.WaitForQueries(1, QueryFilter{Name: "contoso.test", Type: "MX"})[0]
	if query.Rcode != "NOERROR" || len(query.Answers) == 0 {
		t.Errorf("%+v", query)
	}
}

// The program must end with the last world: no process may remain after the tests.
func TestProcessEndsWithItsLastWorld(t *testing.T) {
	t.Setenv("MARTINET", "")
	server, err := Serve()
	if err != nil {
		t.Fatal(err)
	}
	ready := server.URL + "/readyz"
	if _, err := http.Get(ready); err != nil {
		t.Fatal(err)
	}
	server.Close()
	server.Close()
	if _, err := http.Get(ready); err == nil {
		t.Error("the server still answers")
	}
}

func TestProgramThatIsMissingOrDoesNotStartIsNamed(t *testing.T) {
	t.Setenv("MARTINET", "")
	_, err := Serve("--scenario", "nosuch")
	contains(t, fmt.Sprint(err), "martinet serve ended: ", "nosuch")
	t.Setenv("MARTINET_BINARY", "/nowhere/martinet")
	_, err = Serve()
	contains(t, fmt.Sprint(err), "MARTINET_BINARY names /nowhere/martinet")
	t.Setenv("MARTINET_BINARY", "")
	t.Setenv("PATH", t.TempDir())
	_, err = Serve()
	contains(t, fmt.Sprint(err), "the program martinet is not installed: set MARTINET_BINARY")
}

// goTest runs `go test` in a folder, which gets a go.mod that names the module.
func goTest(t *testing.T, folder string, arguments ...string) (string, error) {
	t.Helper()
	command := exec.Command("go", append([]string{"test"}, arguments...)...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off")
	output, err := command.CombinedOutput()
	return string(output), err
}

func TestTestOfTheReadmePasses(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile("(?s)```go\n(.*?)```").FindStringSubmatch(string(readme))[1]
	if lines := strings.Count(text, "\n"); lines > 12 {
		t.Errorf("the test of the README has %d lines", lines)
	}
	here, _ := os.Getwd()
	folder := t.TempDir()
	module := "module mailer\n\ngo 1.19\n\nrequire martinet.test/martinet v0.0.0\n\nreplace martinet.test/martinet => " + here + "\n"
	for name, content := range map[string]string{"go.mod": module, "mailer_test.go": text} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if output, err := goTest(t, folder, "."); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestExampleFailsReadably(t *testing.T) {
	t.Parallel()
	output, err := goTest(t, ".", "-tags", "failing", "./example")
	if err == nil {
		t.Fatalf("the example passed:\n%s", output)
	}
	contains(t, output, "failing_test.go:16: expected a session with verdict accept, found reject, iprev, 550", "PTR: NXDOMAIN", "550 5.7.25")
}

// The client is compared with the OpenAPI document, so that neither changes alone.
func TestEveryFieldIsInTheDescription(t *testing.T) {
	t.Parallel()
	world := New(t, Options{})
	answer, err := http.Get(world.server.URL + "/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var description struct {
		Paths      map[string]map[string]any
		Components struct{ Schemas map[string]schema }
	}
	if err := json.NewDecoder(answer.Body).Decode(&description); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"SessionView": Session{}, "RefusalView": Refusal{}, "TransactionView": Transaction{}, "MailView": Message{}, "DnsQuery": Query{},
		"WorldView": World{}, "Sessions": Filter{}, "NewWorld": Options{},
	} {
		known := description.Components.Schemas[name].fields(description.Components.Schemas)
		kind := reflect.TypeOf(value)
		for i := 0; i < kind.NumField(); i++ {
			key := strings.Split(kind.Field(i).Tag.Get("json"), ",")[0]
			if key != "" && key != "-" && !known[key] {
				t.Errorf("%s has no %s", name, key)
			}
		}
	}
	for _, path := range []string{
		"get /sessions", "get /sessions/{id}/story", "get /sessions/{id}/transcript", "get /sessions/{id}/picture.svg", "get /mail/{id}/raw",
		"get /wait", "get /wait/mail", "get /wait/dns/queries", "post /expectations", "get /expectations/verify", "post /clock", "put /receiver",
		"put /scenario", "put /client", "put /faults", "put /zones/{name}", "post /reset",
	} {
		method, at, _ := strings.Cut(path, " ")
		if description.Paths["/api/v1/worlds/{world}"+at][method] == nil {
			t.Errorf("%s is not described", path)
		}
	}
}

type schema struct {
	Ref        string `json:"$ref"`
	Properties map[string]any
	AllOf      []schema
}

func (s schema) fields(all map[string]schema) map[string]bool {
	found := map[string]bool{}
	for name := range s.Properties {
		found[name] = true
	}
	parts := s.AllOf
	if s.Ref != "" {
		parts = append(parts, all[s.Ref[strings.LastIndex(s.Ref, "/")+1:]])
	}
	for _, part := range parts {
		for name := range part.fields(all) {
			found[name] = true
		}
	}
	return found
}
