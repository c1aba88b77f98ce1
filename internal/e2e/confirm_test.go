package e2e_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// A browser can confirm a post on the site's own error page, with the cookie or with the input that
// the page adds to its form.
func TestConfirmationsOnSiteErrorPage(t *testing.T) {
	dir := t.TempDir()
	const sorry = `<form method="post"><input name="_confirm" value="{{placeholder "telecrm.confirm"}}"></form>`
	if err := os.WriteFile(filepath.Join(dir, "sorry.html"), []byte(sorry), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "root "+dir+`
	telecrm /enquire {
		field name
		field phone
		unmapped more
		errors handle
		dedupe off
		challenge altcha
		thank_you /thanks
	}
	handle_errors 422 {
		rewrite * /sorry.html
		templates
		file_server
	}`)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	withCookies := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	without := &http.Client{Timeout: 20 * time.Second}
	for _, client := range []*http.Client{withCookies, without} {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	post := func(client *http.Client, values url.Values) (int, string) {
		t.Helper()
		resp, err := client.PostForm(s.site+"/enquire", values)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	values := url.Values{"name": {"Meera Iyer"}, "phone": {"08123456789"}, "nonce": {"1"}}
	if status, body := post(withCookies, values); status != http.StatusUnprocessableEntity {
		t.Fatalf("status %d: %s", status, body)
	}
	values.Set("nonce", "2")
	if status, body := post(withCookies, values); status != http.StatusSeeOther {
		t.Errorf("with the cookie: status %d: %s", status, body)
	}
	values.Set("phone", "08123456780")
	_, body := post(without, values)
	found := regexp.MustCompile(`value="([^"]+)"`).FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("no confirmation in %s", body)
	}
	values.Set("nonce", "3")
	values.Set("_confirm", found[1])
	if status, body := post(without, values); status != http.StatusSeeOther {
		t.Errorf("with the input: status %d: %s", status, body)
	}
}
