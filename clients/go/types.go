package martinet

// Options describe a world. Scenario and Receiver are names, or TOML text; a value that is left out is martinet's default.
type Options struct {
	Scenario string `json:"scenario,omitempty"`
	Receiver string `json:"receiver,omitempty"`
	// Client is where client addresses come from: "socket", or a map with address, pool or map.
	Client any    `json:"client,omitempty"`
	Name   string `json:"name,omitempty"`
}

// A Filter selects sessions; an empty one selects all of them.
type Filter struct {
	ClientAddress string `json:"client_address,omitempty"`
	Helo          string `json:"helo,omitempty"`
	Receiver      string `json:"receiver,omitempty"`
	Verdict       string `json:"verdict,omitempty"`
	Transaction   string `json:"transaction,omitempty"`
	Rule          string `json:"rule,omitempty"`
	Source        string `json:"source,omitempty"`
	Stage         string `json:"stage,omitempty"`
	Code          int    `json:"code,omitempty"`
	Enhanced      string `json:"enhanced,omitempty"`
	Sender        string `json:"sender,omitempty"`
	Recipient     string `json:"recipient,omitempty"`
	Since         string `json:"since,omitempty"`
}

// A MailFilter selects accepted messages.
type MailFilter struct {
	Recipient string `json:"recipient,omitempty"`
	Sender    string `json:"sender,omitempty"`
	Session   int    `json:"session,omitempty"`
	Since     string `json:"since,omitempty"`
}

// A QueryFilter selects DNS queries.
type QueryFilter struct {
	ClientAddress string `json:"client_address,omitempty"`
	Name          string `json:"name,omitempty"`
	Type          string `json:"type,omitempty"`
	Rcode         string `json:"rcode,omitempty"`
	Since         string `json:"since,omitempty"`
}

// A Session is an SMTP session. Verdict is none, accept, defer or reject.
type Session struct {
	ID            int           `json:"id"`
	Verdict       string        `json:"verdict"`
	ClientAddress string        `json:"client_address"`
	Helo          string        `json:"helo"`
	Sender        string        `json:"sender"`
	Recipients    []string      `json:"recipients"`
	Reply         []string      `json:"reply"`
	Code          int           `json:"code"`
	Rule          string        `json:"rule"`
	Stage         string        `json:"stage"`
	Source        string        `json:"source"`
	ClosedBy      string        `json:"closed_by"`
	Refusals      []Refusal     `json:"refusals"`
	Transactions  []Transaction `json:"transactions"`

	world *World
}

// A Refusal is one 4yz or 5yz reply of a session, with its reason.
type Refusal struct {
	Source    string   `json:"source"`
	Rule      string   `json:"rule"`
	Stage     string   `json:"stage"`
	Code      int      `json:"code"`
	Enhanced  string   `json:"enhanced"`
	Reply     []string `json:"reply"`
	Temporary bool     `json:"temporary"`
	Why       string   `json:"why"`
	Remedies  Remedies `json:"remedies"`
}

// Remedies are alternatives: each of them alone fixes the refusal.
type Remedies struct {
	OneOf []Remedy `json:"one_of"`
}

// A Remedy is a change, or several that belong together.
type Remedy struct {
	Text  string           `json:"text"`
	AllOf []map[string]any `json:"all_of"`
}

// A Transaction is one transaction of a session. Message is the number of the accepted message, 0 without one.
type Transaction struct {
	Sender     string   `json:"sender"`
	Recipients []string `json:"recipients"`
	Verdict    string   `json:"verdict"`
	Reply      []string `json:"reply"`
	Message    int      `json:"message"`
}

// A Message is an accepted message.
type Message struct {
	ID         int      `json:"id"`
	Session    int      `json:"session"`
	Sender     string   `json:"sender"`
	Recipients []string `json:"recipients"`

	world *World
}

// A Query is a DNS query with its answer.
type Query struct {
	ID            int      `json:"id"`
	ClientAddress string   `json:"client_address"`
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Rcode         string   `json:"rcode"`
	Answers       []string `json:"answers"`
}

// A Reply is what an assertion expects of a refusal; fields with their zero value are not compared.
type Reply struct {
	Rule     string
	Code     int
	Enhanced string
}

// Times is how often something is expected; without Most there is no upper limit.
type Times struct {
	Least int  `json:"least"`
	Most  *int `json:"most,omitempty"`
}
