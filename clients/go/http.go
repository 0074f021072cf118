package martinet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A Problem is a request that the server refused.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Field  string `json:"field"`
}

func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if p.Field != "" {
		text = p.Field + ": " + text
	}
	return fmt.Sprintf("%d %s", p.Status, text)
}

// Call sends a request to the API, with path below /api/v1, and decodes the response into result: JSON, or text for *string.
// Body and result may be nil. The error of a refused request is a *Problem.
func (s *Server) Call(method, path string, body, result any) error {
	status, content, err := s.call(method, path, body)
	if err != nil {
		return err
	}
	if status >= 400 {
		problem := &Problem{Status: status, Title: strings.TrimSpace(string(content))}
		_ = json.Unmarshal(content, problem)
		return problem
	}
	return read(content, result)
}

func (s *Server) call(method, path string, body any) (int, []byte, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, s.URL+"/api/v1"+path, content)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("no answer from %s: %w", s.URL, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

func read(content []byte, result any) error {
	switch into := result.(type) {
	case nil:
		return nil
	case *string:
		*into = string(content)
		return nil
	default:
		return json.Unmarshal(content, result)
	}
}

// query writes the fields of filters, and further pairs, as the query of a URL.
func query(filter any, pairs ...any) (string, error) {
	values := url.Values{}
	text, err := json.Marshal(filter)
	if err != nil {
		return "", err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(text, &fields); err != nil {
		return "", err
	}
	for key, value := range fields {
		values.Set(key, fmt.Sprint(value))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(fmt.Sprint(pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return "?" + values.Encode(), nil
}
