package martinet

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// DefaultTimeout is how long a wait takes at most; World.Timeout changes it for one world.
const DefaultTimeout = 5 * time.Second

// storiesOfAFailure is how many sessions the log of a failed test shows.
const storiesOfAFailure = 20

// TB is what New uses of *testing.T, *testing.B and *testing.F.
type TB interface {
	Cleanup(func())
	Failed() bool
	Fatalf(format string, arguments ...any)
	Errorf(format string, arguments ...any)
	Helper()
	Logf(format string, arguments ...any)
}

// A World is an isolated server for one test: one scenario and one receiver on their own ports. Its methods fail the
// test if the server refuses a request.
type World struct {
	Name     string `json:"name"`
	Scenario string `json:"scenario"`
	Receiver string `json:"receiver"`
	// SMTP is the address of the SMTP server, host and port.
	SMTP     string `json:"smtp"`
	SMTPHost string `json:"smtp_host"`
	SMTPPort int    `json:"smtp_port"`
	// DNS is the address of the DNS server, host and port, for UDP and TCP.
	DNS     string `json:"dns"`
	DNSHost string `json:"dns_host"`
	DNSPort int    `json:"dns_port"`
	// Timeout is how long a wait takes at most.
	Timeout time.Duration `json:"-"`

	server *Server
	t      TB
	told   map[int]bool
}

// New gives the test a world. At the end of the test its expectations are verified, a failed test logs each
// session, and the world is deleted.
func New(t TB, options Options) *World {
	t.Helper()
	server, release, err := shared.acquire()
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(release)
	return server.World(t, options)
}

// World gives the test a world of this server, as New does.
func (s *Server) World(t TB, options Options) *World {
	t.Helper()
	world := &World{server: s, t: t, Timeout: DefaultTimeout, told: map[int]bool{}}
	if err := s.Call(http.MethodPost, "/worlds", options, world); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(world.end)
	return world
}

// ExistingWorld gives the test a world that exists: "main" is the one that the server started with. At the end of the test its
// expectations are verified and a failed test logs each session, but the world is not deleted.
func (s *Server) ExistingWorld(t TB, name string) *World {
	t.Helper()
	world := &World{server: s, t: t, Timeout: DefaultTimeout, told: map[int]bool{}}
	if err := s.Call(http.MethodGet, "/worlds/"+url.PathEscape(name), nil, world); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(world.verify)
	return world
}

// verify verifies the expectations of a test that has not failed, and logs the sessions of one that has.
func (w *World) verify() {
	w.t.Helper()
	if !w.t.Failed() {
		w.Verify()
	}
	if w.t.Failed() {
		w.tell()
	}
}

func (w *World) end() {
	w.t.Helper()
	w.verify()
	if err := w.Call(http.MethodDelete, "", nil, nil); err != nil {
		w.t.Errorf("%v", err)
	}
}

// tell logs the sessions that no assertion has printed.
func (w *World) tell() {
	var page struct{ Sessions []Session }
	if err := w.Call(http.MethodGet, fmt.Sprintf("/sessions?limit=%d", storiesOfAFailure), nil, &page); err != nil {
		w.t.Logf("%v", err)
		return
	}
	for _, session := range page.Sessions {
		session.world = w
		if !w.told[session.ID] {
			w.t.Logf("martinet session %d\n%s", session.ID, session.Story())
		}
	}
}

// Call sends a request to the API of this world, with path below /api/v1/worlds/NAME, as Server.Call does.
func (w *World) Call(method, path string, body, result any) error {
	return w.server.Call(method, "/worlds/"+url.PathEscape(w.Name)+path, body, result)
}

func (w *World) must(method, path string, body, result any) {
	w.t.Helper()
	if err := w.Call(method, path, body, result); err != nil {
		w.t.Fatalf("%v", err)
	}
}

// WaitForSession waits for a session with a verdict that matches the filter, and returns the first one.
func (w *World) WaitForSession(filter Filter) Session {
	w.t.Helper()
	sessions := w.WaitForSessions(1, filter)
	if len(sessions) == 0 {
		return Session{world: w} // a TB whose Fatalf returns
	}
	return sessions[0]
}

// WaitForSessions waits until count sessions match.
func (w *World) WaitForSessions(count int, filter Filter) []Session {
	w.t.Helper()
	var found struct{ Sessions []Session }
	w.wait("", count, filter, &found)
	return w.owned(found.Sessions)
}

// WaitForMail waits until count messages match.
func (w *World) WaitForMail(count int, filter MailFilter) []Message {
	w.t.Helper()
	var found struct{ Mail []Message }
	w.wait("/mail", count, filter, &found)
	for i := range found.Mail {
		found.Mail[i].world = w
	}
	return found.Mail
}

// WaitForQueries waits until count DNS queries match.
func (w *World) WaitForQueries(count int, filter QueryFilter) []Query {
	w.t.Helper()
	var found struct{ Queries []Query }
	w.wait("/dns/queries", count, filter, &found)
	return found.Queries
}

func (w *World) wait(kind string, count int, filter, result any) {
	w.t.Helper()
	search, err := query(filter, "count", count, "timeout_ms", w.Timeout.Milliseconds())
	if err != nil {
		w.t.Fatalf("%v", err)
		return
	}
	var outcome struct {
		Matched    bool
		Wanted     string
		Found      int
		NearMisses []struct{ Headline string } `json:"near_misses"`
		Seen       []string
	}
	content, err := w.outcome("/wait"+kind+search, &outcome)
	if err == nil && outcome.Matched {
		err = json.Unmarshal(content, result)
	} else if err == nil {
		lines := []string{fmt.Sprintf("expected %s; %d matched", outcome.Wanted, outcome.Found)}
		for _, near := range outcome.NearMisses {
			lines = append(lines, "  near miss: "+near.Headline)
		}
		for _, seen := range outcome.Seen {
			lines = append(lines, "  seen: "+seen)
		}
		err = fmt.Errorf("%s", strings.Join(lines, "\n"))
	}
	if err != nil {
		w.t.Fatalf("%v", err)
	}
}

// outcome reads a response, which is 417 if something expected has not happened.
func (w *World) outcome(path string, into any) ([]byte, error) {
	status, content, err := w.server.call(http.MethodGet, "/worlds/"+url.PathEscape(w.Name)+path, nil)
	if err == nil && status >= 400 && status != http.StatusExpectationFailed {
		problem := &Problem{Status: status}
		_ = json.Unmarshal(content, problem)
		err = problem
	}
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	return content, err
}

// Sessions returns the sessions that match, oldest first, at most 1000.
func (w *World) Sessions(filter Filter) []Session {
	w.t.Helper()
	search, err := query(filter, "limit", 1000, "full", true)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	var page struct{ Sessions []Session }
	w.must(http.MethodGet, "/sessions"+search, nil, &page)
	return w.owned(page.Sessions)
}

func (w *World) owned(sessions []Session) []Session {
	for i := range sessions {
		sessions[i].world = w
	}
	return sessions
}

// Expect declares an expectation about the sessions that follow; it is verified at the end of the test.
func (w *World) Expect(name string, sessions Filter, times Times) {
	w.t.Helper()
	body := map[string]any{"name": name, "sessions": sessions, "times": times}
	w.must(http.MethodPost, "/expectations", body, nil)
}

// Verify fails the test with a report unless every expectation is met.
func (w *World) Verify() {
	w.t.Helper()
	var outcomes struct {
		Met    bool
		Report string
	}
	if _, err := w.outcome("/expectations/verify", &outcomes); err != nil {
		w.t.Errorf("%v", err)
	} else if !outcomes.Met {
		w.t.Errorf("%s", outcomes.Report)
	}
}

// Advance advances the clock of the world: the entries in the receiver's memory get older.
func (w *World) Advance(by time.Duration) {
	w.t.Helper()
	w.must(http.MethodPost, "/clock", map[string]any{"advance": fmt.Sprintf("%dms", by.Milliseconds())}, nil)
}

// SetReceiver replaces the receiver: a name, or TOML text.
func (w *World) SetReceiver(receiver string) {
	w.t.Helper()
	w.must(http.MethodPut, "/receiver", map[string]any{"receiver": receiver}, nil)
}

// SetScenario replaces the scenario: a name, or TOML text.
func (w *World) SetScenario(scenario string) {
	w.t.Helper()
	w.must(http.MethodPut, "/scenario", map[string]any{"scenario": scenario}, nil)
}

// SetClient replaces the source of client addresses: "socket", or a map with address, pool or map.
func (w *World) SetClient(source any) {
	w.t.Helper()
	w.must(http.MethodPut, "/client", map[string]any{"client": source}, nil)
}

// SetFaults replaces the DNS faults, for example {"name": "…", "type": "PTR", "do": "servfail"}.
func (w *World) SetFaults(faults ...map[string]any) {
	w.t.Helper()
	if faults == nil {
		faults = []map[string]any{}
	}
	w.must(http.MethodPut, "/faults", map[string]any{"faults": faults}, nil)
}

// SetZone adds a zone from master-file text, or replaces the one with this origin.
func (w *World) SetZone(origin, text string) {
	w.t.Helper()
	w.must(http.MethodPut, "/zones/"+url.PathEscape(origin), map[string]any{"text": text}, nil)
}

// Reset resets the world to its state at start.
func (w *World) Reset() {
	w.t.Helper()
	w.must(http.MethodPost, "/reset", nil, nil)
}

// ResetJournal forgets the sessions, messages and queries, and keeps everything else.
func (w *World) ResetJournal() {
	w.t.Helper()
	w.must(http.MethodPost, "/reset?only=journal", nil, nil)
}

// shared is the process that the worlds of New share. It ends with the last of them, because Go has no hook for the end of
// a test process.
var shared process

type process struct {
	mutex  sync.Mutex
	server *Server
	users  int
}

func (p *process) acquire() (*Server, func(), error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.server == nil {
		server, err := Serve()
		if err != nil {
			return nil, nil, err
		}
		p.server = server
	}
	p.users++
	return p.server, p.release, nil
}

func (p *process) release() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.users--
	if p.users == 0 {
		p.server.Close()
		p.server = nil
	}
}
