package telecrm_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// everyVerb returns v formatted with every verb of fmt.
func everyVerb(v any) string {
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "% x", "%#q", "%10v", "%.3s", "%T"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	return b.String()
}

// everyLog returns v as structured loggers and encoders write it.
func everyLog(tb testing.TB, v any) string {
	tb.Helper()
	var b bytes.Buffer
	for _, encoder := range []zapcore.Encoder{
		zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
	} {
		logger := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&b), zapcore.DebugLevel))
		logger.Info("x", zap.Any("v", v))
		logger.Sugar().Infow("x", "v", v)
		logger.Sugar().Info(v)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	text, err := json.Marshal(v)
	fmt.Fprintf(&b, "%s %v", text, err)
	return b.String()
}

// checkHides checks that text does not contain the secrets, not even in hexadecimal.
func checkHides(tb testing.TB, text string, secrets ...string) {
	tb.Helper()
	lower := strings.ToLower(strings.ReplaceAll(text, " ", ""))
	for _, secret := range secrets {
		plain := strings.ToLower(strings.ReplaceAll(secret, " ", ""))
		if strings.Contains(lower, plain) || strings.Contains(lower, hex.EncodeToString([]byte(secret))) {
			tb.Errorf("%q is in:\n%s", secret, text)
		}
	}
}

func TestTokenIsNeverShown(t *testing.T) {
	t.Parallel()
	config := telecrm.Config{Token: testToken, EnterpriseID: testEnterprise, Transport: &http.Transport{}}
	client := newClient(t, config)
	async := newAsync(t, config)
	type holder struct {
		Client *telecrm.Client
		Config telecrm.Config
		Any    any
	}
	type closedHolder struct {
		pointer *telecrm.Client
		value   telecrm.Client
		list    []telecrm.Client
	}
	closed := closedHolder{pointer: client, value: *client, list: []telecrm.Client{*client}}
	for name, v := range map[string]any{
		"token":             config.Token,
		"token pointer":     &config.Token,
		"tokens":            []telecrm.Token{testToken},
		"token by name":     map[string]telecrm.Token{"token": testToken},
		"config":            config,
		"config pointer":    &config,
		"client":            *client,
		"client pointer":    client,
		"clients":           []*telecrm.Client{client},
		"client values":     map[string]telecrm.Client{"default": *client},
		"holder":            holder{client, config, *client},
		"holder pointer":    &holder{client, config, config},
		"private holder":    closed,
		"private pointer":   &closed,
		"private interface": struct{ v any }{*client},
		"async":             *async,
		"async pointer":     async,
		"private async":     struct{ v telecrm.AsyncClient }{*async},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkHides(t, everyVerb(v), testToken)
			checkHides(t, everyLog(t, v), testToken)
		})
	}
}

func TestClientPrintsItsNameOnly(t *testing.T) {
	t.Parallel()
	client := newClient(t, telecrm.Config{})
	async := newAsync(t, telecrm.Config{})
	for want, values := range map[string][]any{
		"telecrm.Client":      {client, *client},
		"telecrm.AsyncClient": {async, *async},
	} {
		for _, v := range values {
			if got := fmt.Sprintf("%+v", v); got != want {
				t.Errorf("a %T prints as %q", v, got)
			}
		}
	}
}

func TestConfigMarshals(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(telecrm.Config{Token: testToken, EnterpriseID: "66aa", Transport: http.DefaultTransport})
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	const want = `{"Token":"REDACTED","EnterpriseID":"66aa","BaseURL":"","Timeout":0}`
	if string(got) != want {
		t.Errorf("Marshal gave %s, want %s", got, want)
	}
}

func TestTokenCanBeUsed(t *testing.T) {
	t.Parallel()
	token := telecrm.Token(testToken)
	if string(token) != testToken {
		t.Error("converting a token to a string changed it")
	}
	if got := fmt.Sprint(token); got != "REDACTED" {
		t.Errorf("a token prints as %q", got)
	}
}

// Errors contain neither the token nor the URL, because an enterprise id may be a misplaced token.
func TestErrorsHideSecrets(t *testing.T) {
	t.Parallel()
	const misplaced = "1700000000000abcdef0123456789"
	down := "http://127.0.0.1:" + caddyproc.FreePort(t)
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = discardLog()
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()

	for _, tc := range []struct {
		name   string
		ctx    context.Context
		config telecrm.Config
	}{
		{"refused", context.Background(), telecrm.Config{BaseURL: down}},
		{"untrusted", context.Background(), telecrm.Config{BaseURL: untrusted.URL}},
		{"cancelled", cancelled, telecrm.Config{}},
		{"bad port", context.Background(), telecrm.Config{BaseURL: "https://127.0.0.1:99999"}},
		{"bad host", context.Background(), telecrm.Config{
			BaseURL: "https://crm.example.com",
			Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "crm.example.com"}
			}},
		}},
		{"page", context.Background(), telecrm.Config{BaseURL: newServer(t, answering(200, typeHTML, testToken+misplaced))}},
		{"echo", context.Background(), telecrm.Config{BaseURL: newServer(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_ = r.Write(w)
		})}},
		{"failing transport", context.Background(), telecrm.Config{
			Transport: transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("failed") }),
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.config.EnterpriseID = misplaced
			secrets := []string{testToken, misplaced, "918123456789", "Ravi Menon", "ravi@example.org"}
			for name, call := range everyCall() {
				answer := call(t, tc.ctx, tc.config)
				if answer.Verdict != telecrm.Retry && answer.Verdict != telecrm.Rejected {
					t.Fatalf("%s: answer is %v, want a fault", name, answer)
				}
				checkHides(t, everyVerb(answer), secrets...)
				checkHides(t, answer.Reason(), secrets...)
				if answer.Err != nil {
					checkHides(t, everyVerb(answer.Err), testToken, misplaced)
					checkHides(t, everyLog(t, answer.Err), testToken, misplaced)
				}
			}
		})
	}
}

func TestAnswerFormatsAsItsReason(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		answer telecrm.Answer
		want   string
	}{
		{telecrm.Answer{}, "retry"},
		{telecrm.Answer{Verdict: telecrm.Created, Status: 201, LeadID: leadID}, "HTTP 201"},
		{
			telecrm.Answer{
				Verdict: telecrm.Duplicate, Status: 409, Code: telecrm.CodeLeadAlreadyExists,
				Message: "Lead with phone 918123456789 already exists.",
			},
			"HTTP 409 LEAD_ALREADY_EXISTS",
		},
		{
			telecrm.Answer{
				Verdict: telecrm.Created, Status: 201,
				Remarks: []telecrm.Remark{{Field: "fields.name", Status: "IGNORED", Text: "Ravi Menon is not a name"}},
				Actions: []telecrm.ActionResult{{ID: "7", Status: "918123456789"}},
			},
			"HTTP 201",
		},
		{telecrm.Answer{Verdict: telecrm.Retry, Err: errors.New("no route")}, "no route"},
	} {
		if got := tc.answer.Reason(); got != tc.want {
			t.Errorf("Reason() = %q, want %q", got, tc.want)
		}
		for _, v := range []any{tc.answer, &tc.answer} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
				if got := fmt.Sprintf(verb, v); got != tc.want {
					t.Errorf("%s of %T gives %q, want %q", verb, v, got, tc.want)
				}
			}
		}
		checkHides(t, everyVerb([]telecrm.Answer{tc.answer}), "918123456789", "Ravi Menon")
		checkHides(t, everyVerb(struct{ Answer telecrm.Answer }{tc.answer}), "918123456789", "Ravi Menon")
	}
}
