package handlertest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/guard"
)

// corpusDir holds posts as sent by people's browsers, phones, apps and programs. All are invented.
// Each file is a sequence of requests in the format of HTTP editors. "###" starts a request and
// describes it. "# from" gives the client address, "# after" the time since the previous request
// (default 20s), and "# unprotected" skips it for forms with protect. The header follows. A body
// has one input per line; a value may continue in lines that begin with a tab. It is sent in the
// encoding of the content type. {trap} stands for the name of the page's trap, and {stamp 40s} for
// a stamp from 40 seconds ago.
const corpusDir = "testdata/honest"

const (
	corpusBlock = `
	field name
	field phone
	field email
	field message
	unmapped more
	thank_you /thanks
`
	corpusProtected = corpusBlock + "protect\n"
)

// corpusRequest is a request of the corpus.
type corpusRequest struct {
	title       string
	from        string        // client address; empty for a unique one
	after       time.Duration // time since the previous request
	unprotected bool          // only for forms without protect
	method      string
	target      string
	header      http.Header
	inputs      [][2]string
}

// readCorpus reads a file of requests.
func readCorpus(t *testing.T, file string) []corpusRequest {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []corpusRequest
	for part := range strings.SplitSeq("\n"+string(content), "\n### ") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		request, err := parseCorpusRequest(part)
		if err != nil {
			t.Fatalf("%s: %q: %v", file, request.title, err)
		}
		list = append(list, request)
	}
	return list
}

func parseCorpusRequest(text string) (r corpusRequest, err error) {
	r.title, text, _ = strings.Cut(text, "\n")
	r.after = 20 * time.Second
	for strings.HasPrefix(text, "# ") {
		var directive string
		directive, text, _ = strings.Cut(strings.TrimPrefix(text, "# "), "\n")
		word, value, _ := strings.Cut(directive, " ")
		switch word {
		case "from":
			r.from = value
		case "after":
			if r.after, err = time.ParseDuration(value); err != nil {
				return r, err
			}
		case "unprotected":
			r.unprotected = true
		default:
			return r, fmt.Errorf("unknown directive %q", directive)
		}
	}
	line, rest, _ := strings.Cut(text, "\n")
	words := strings.Fields(line)
	if len(words) != 3 {
		return r, fmt.Errorf("request line: must have three words, got %q", line)
	}
	r.method, r.target = words[0], words[1]
	head, body, _ := strings.Cut(rest, "\n\n")
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(head + "\n\n"))).ReadMIMEHeader()
	r.header = http.Header(header)
	for line := range strings.SplitSeq(strings.TrimRight(body, "\n"), "\n") {
		if more, ok := strings.CutPrefix(line, "\t"); ok && len(r.inputs) > 0 {
			r.inputs[len(r.inputs)-1][1] += "\n" + more
		} else if name, value, ok := strings.Cut(line, "="); ok {
			r.inputs = append(r.inputs, [2]string{name, value})
		}
	}
	return r, err
}

// corpusForm is a form that the corpus is posted to.
type corpusForm struct {
	testHandler
	visits int
}

func newCorpusForm(t *testing.T, block string) *corpusForm {
	t.Helper()
	f := &corpusForm{testHandler: newHandler(t, newCRM(t).url, block)}
	withOutbox(t, f.testHandler)
	return f
}

// send sends the request and returns its outcome and spam signals. The outcome is empty if the
// handler passed the request on.
func (f *corpusForm) send(t *testing.T, request corpusRequest) (got outcome, signals string) {
	t.Helper()
	f.clock.turn(request.after)
	f.visits++
	client := request.from
	if client == "" {
		client = fmt.Sprintf("198.18.%d.7", f.visits)
	}
	body, contentType := f.encode(t, request)
	r := httptest.NewRequestWithContext(t.Context(), request.method, request.target, bytes.NewReader(body))
	r.Header, r.Host, r.TLS = request.header.Clone(), request.header.Get("Host"), &tls.ConnectionState{}
	r.Header.Del("Host")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, client)
	next := &passed{}
	if err := f.ServeHTTP(w, r, next); err != nil {
		t.Fatalf("%s: %v", request.title, err)
	}
	if next.requests > 0 {
		return "", ""
	}
	logged := f.submission(t)
	signals, _ = logged["spam_signals"].(string)
	if wrong, ok := logged["wrong"]; ok {
		signals = fmt.Sprint(wrong)
	}
	return outcome(logged["outcome"].(string)), signals
}

// encode encodes the body for the request's content type.
func (f *corpusForm) encode(t *testing.T, request corpusRequest) (body []byte, contentType string) {
	t.Helper()
	contentType = request.header.Get("Content-Type")
	inputs := make([][2]string, 0, len(request.inputs))
	for _, input := range request.inputs {
		name, value := input[0], input[1]
		if name == "{trap}" || name == guard.StampInput {
			if !f.Protect {
				continue
			}
			trap, _ := f.seal(t, 0)
			name = strings.ReplaceAll(name, "{trap}", trap)
			if age, ok := strings.CutPrefix(value, "{stamp "); ok {
				old, err := time.ParseDuration(strings.TrimSuffix(age, "}"))
				if err != nil {
					t.Fatalf("%s: %v", request.title, err)
				}
				_, value = f.seal(t, old)
			}
		}
		inputs = append(inputs, [2]string{name, value})
	}
	mediaType, params, _ := mime.ParseMediaType(contentType)
	var buf bytes.Buffer
	switch mediaType {
	case "application/json":
		object := make(map[string]string)
		for _, input := range inputs {
			object[input[0]] = input[1]
		}
		if err := json.NewEncoder(&buf).Encode(object); err != nil {
			t.Fatal(err)
		}
	case "multipart/form-data":
		parts := multipart.NewWriter(&buf)
		if err := parts.SetBoundary(params["boundary"]); err != nil {
			t.Fatalf("%s: %v", request.title, err)
		}
		for _, input := range inputs {
			if err := parts.WriteField(input[0], input[1]); err != nil {
				t.Fatal(err)
			}
		}
		parts.Close()
	default:
		for i, input := range inputs {
			if i > 0 {
				buf.WriteByte('&')
			}
			buf.WriteString(url.QueryEscape(input[0]) + "=" + url.QueryEscape(input[1]))
		}
	}
	return buf.Bytes(), contentType
}

// sendCorpus sends the requests of each file to a new form.
func sendCorpus(t *testing.T, block string, each func(corpusRequest, outcome, string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpusDir, "*.http"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s, error %v", corpusDir, err)
	}
	for _, file := range files {
		form := newCorpusForm(t, block)
		for _, request := range readCorpus(t, file) {
			if request.unprotected && form.Protect {
				continue
			}
			got, signals := form.send(t, request)
			each(request, got, signals)
		}
	}
}

// Honest posts are neither refused nor parked, with or without protected pages.
func TestHonestPostsAreAccepted(t *testing.T) {
	accepted := []outcome{outcomeCreated, outcomeKnown, outcomeAccepted, outcomeWaiting, outcomeRepeat}
	for _, block := range []string{corpusBlock, corpusProtected} {
		posts, others := 0, 0
		sendCorpus(t, block, func(r corpusRequest, got outcome, signals string) {
			if r.method != http.MethodPost {
				others++
				if got != "" {
					t.Errorf("%s: got outcome %s, want passed on", r.title, got)
				}
				return
			}
			posts++
			if !slices.Contains(accepted, got) {
				t.Errorf("%s: got outcome %s (%s)", r.title, got, signals)
			}
		})
		t.Logf("protect %t: %d honest posts sent, %d other requests passed on", block == corpusProtected, posts, others)
		if posts < 60 {
			t.Errorf("%d honest posts, want at least 60", posts)
		}
	}
}
