package martinet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const startTime = 30 * time.Second

// FindBinary returns the path of the program: the variable MARTINET_BINARY, or the first one on the path.
func FindBinary() (string, error) {
	if named := os.Getenv("MARTINET_BINARY"); named != "" {
		if _, err := os.Stat(named); err != nil {
			return "", fmt.Errorf("MARTINET_BINARY names %s, which does not exist", named)
		}
		return named, nil
	}
	if found, err := exec.LookPath("martinet"); err == nil {
		return found, nil
	}
	return "", errors.New("the program martinet is not installed: set MARTINET_BINARY, or MARTINET to the URL of a running server")
}

// A Server is a running martinet.
type Server struct {
	// URL is the address of its HTTP server.
	URL  string
	stop func()
}

// Serve returns the server at the variable MARTINET, otherwise a new process on free ports. The arguments are additional
// arguments of `martinet serve`.
func Serve(arguments ...string) (*Server, error) {
	if url := os.Getenv("MARTINET"); url != "" {
		return At(url), nil
	}
	return start(arguments)
}

// At returns the server with this URL.
func At(url string) *Server {
	return &Server{URL: strings.TrimRight(url, "/")}
}

// Close ends the process, if Serve started one.
func (s *Server) Close() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

func start(arguments []string) (*Server, error) {
	binary, err := FindBinary()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "martinet-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	ready := filepath.Join(folder, "ready.json")
	free := "127.0.0.1:0"
	command := exec.Command(binary, append([]string{"serve", "--smtp", free, "--dns", free, "--http", free, "--ready-file", ready}, arguments...)...)
	said := &output{}
	command.Stderr = said
	ended, err := run(command)
	if err != nil {
		return nil, err
	}
	stop := func() {
		_ = command.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(startTime):
			_ = command.Process.Kill()
			<-ended
		}
	}
	url, err := wait(ready, ended, said)
	if err != nil {
		_ = command.Process.Kill()
		<-ended
		return nil, err
	}
	return &Server{URL: url, stop: stop}, nil
}

// wait waits for the ready file, and returns the URL in it.
func wait(ready string, ended <-chan struct{}, said *output) (string, error) {
	deadline := time.After(startTime)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		var line struct {
			URL string `json:"http_url"`
		}
		// The server renames the file into place, so that it is complete if it exists.
		if text, err := os.ReadFile(ready); err == nil {
			err = json.Unmarshal(text, &line)
			return line.URL, err
		}
		select {
		case <-look.C:
		case <-ended:
			return "", fmt.Errorf("martinet serve ended: %s", strings.TrimSpace(said.String()))
		case <-deadline:
			return "", fmt.Errorf("martinet serve was not ready within %s", startTime)
		}
	}
}

// output keeps the output of a process, for a reader in another goroutine.
type output struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (o *output) Write(octets []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.Write(octets)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.String()
}
