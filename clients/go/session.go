package martinet

import (
	"fmt"
	"net/http"
	"strings"
)

// Story returns the explanation of the session: DNS, refusals, remedies and dialogue.
func (s Session) Story() string {
	return s.text("story")
}

// Transcript returns the dialogue.
func (s Session) Transcript() string {
	return s.text("transcript")
}

// Picture returns the picture of the session as SVG.
func (s Session) Picture() string {
	return s.text("picture.svg")
}

func (s Session) text(what string) string {
	var text string
	if err := s.world.Call(http.MethodGet, fmt.Sprintf("/sessions/%d/%s", s.ID, what), nil, &text); err != nil {
		return err.Error()
	}
	return text
}

// AssertAccepted fails the test and prints the session unless a message was acknowledged and nothing refused.
func (s Session) AssertAccepted() {
	s.world.t.Helper()
	s.assert("accept", Reply{})
}

// AssertRejected fails the test and prints the session unless a 5yz reply refused the session, by this rule and with these codes.
func (s Session) AssertRejected(wanted Reply) {
	s.world.t.Helper()
	s.assert("reject", wanted)
}

// AssertDeferred fails the test and prints the session unless a 4yz reply refused the session, by this rule and with these codes.
func (s Session) AssertDeferred(wanted Reply) {
	s.world.t.Helper()
	s.assert("defer", wanted)
}

func (s Session) assert(verdict string, wanted Reply) {
	s.world.t.Helper()
	fits := wanted == Reply{}
	for _, refusal := range s.Refusals {
		fits = fits || wanted.is(refusal)
	}
	if s.Verdict == verdict && fits {
		return
	}
	s.world.told[s.ID] = true
	expected := words("verdict "+verdict, label("rule", wanted.Rule), number("code ", wanted.Code), label("enhanced", wanted.Enhanced))
	found := words(s.Verdict, s.Rule, number("", s.Code))
	s.world.t.Fatalf("expected a session with %s, found %s\n\n%s", expected, found, s.Story())
}

func (r Reply) is(refusal Refusal) bool {
	return (r.Rule == "" || r.Rule == refusal.Rule) && (r.Code == 0 || r.Code == refusal.Code) &&
		(r.Enhanced == "" || r.Enhanced == refusal.Enhanced)
}

// words joins the words that are not empty.
func words(all ...string) string {
	var some []string
	for _, word := range all {
		if word != "" {
			some = append(some, word)
		}
	}
	return strings.Join(some, ", ")
}

func label(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value
}

func number(before string, value int) string {
	if value == 0 {
		return ""
	}
	return before + fmt.Sprint(value)
}

// Content returns the message as stored, below the trace fields of the receiver.
func (m Message) Content() string {
	m.world.t.Helper()
	var text string
	m.world.must(http.MethodGet, fmt.Sprintf("/mail/%d/raw", m.ID), nil, &text)
	return text
}
