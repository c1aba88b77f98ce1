package page_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/leadwire/caddy-telecrm/page"
)

// Typed separates values that the page sends from those that a visitor typed.
func TestTyped(t *testing.T) {
	const source = `<!DOCTYPE html><title>x</title><form method="post" action="/q">
<input type="hidden" name="page" value="">
<input name="site" value="https://a.example/?x=1&amp;y=2">
<textarea name="note">
I saw &lt;a href="/flat"&gt;
and liked it</textarea>
<select name="topic"><option value="a">A</option><option>B</option></select>
<input type="checkbox" name="consent" value="I agree">
<input type="radio" name="way" value="call"><input type="radio" name="way" value="mail">
<input type="password" name="pin">
<textarea name="message"></textarea>
<button name="go" value="now">Send</button>
</form>`
	values := func(pairs ...string) (list []page.Pair) {
		for n := 0; n < len(pairs); n += 2 {
			list = append(list, page.Pair{Name: pairs[n], Value: pairs[n+1]})
		}
		return list
	}
	address := &url.URL{Path: "/q"}
	own := page.Own{Source: []byte(source), ContentType: "text/html; charset=utf-8", URL: address, Posted: address}
	untyped := values(
		"page", "anything", "site", "https://a.example/?x=1&y=2", "note", "I saw <a href=\"/flat\">\r\nand liked it",
		"topic", "a", "topic", "B", "consent", "I agree", "way", "mail", "go", "now")
	typed := values(
		"site", "https://b.example", "note", "something else", "topic", "C", "consent", "on", "way", "post",
		"message", "hello", "pin", "1234", "unknown", "x")
	got, err := own.Typed(slices.Concat(untyped, typed))
	if err != nil || !slices.Equal(got, typed) {
		t.Errorf("typed: %v, error %v", got, err)
	}
	own.Source = []byte("<p>no form</p>")
	if _, err := own.Typed(nil); err == nil {
		t.Error("page without the form: no error")
	}
}
