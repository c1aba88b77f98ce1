//go:build linux

package abusetest

import (
	"fmt"
	"io"
	"strings"
)

// endless is a body that repeats one byte without end.
type endless byte

func (b endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// endlessChunks returns a chunked body without end.
func endlessChunks() io.Reader {
	return io.MultiReader(strings.NewReader("fffffff\r\nmessage="), endless('a'))
}

// endlessFile returns a multipart body with a file without end.
func endlessFile() io.Reader {
	return io.MultiReader(strings.NewReader("--b\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n"), endless('-'))
}

// inBytes returns text in chunks of one byte.
func inBytes(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteString("1\r\n" + text[i:i+1] + "\r\n")
	}
	return b.String() + "0\r\n\r\n"
}

// colliding returns names with equal values in simple multiplicative hash functions, in which "Aa"
// and "BB" collide.
func colliding(count int) []string {
	names := make([]string, count)
	for n := range names {
		var b strings.Builder
		for bit := range 16 {
			b.WriteString([]string{"Aa", "BB"}[n>>bit&1])
		}
		names[n] = b.String()
	}
	return names
}

// manyKeys returns forms with as many colliding names as the limits allow, and with far more.
func manyKeys() []string {
	some, many := colliding(100), colliding(1500)
	object := func(names []string) string {
		return `{"` + strings.Join(names, `":"x","`) + `":"x"}`
	}
	return []string{strings.Join(some, "=x&") + "=x", strings.Join(many, "=x&") + "=x", object(some), object(many)}
}

// floods returns multipart bodies with thousands of parts, with thousands of headers in a part,
// with a name as long as the body, and with nested parts.
func floods() []string {
	const start, end = "--b\r\nContent-Disposition: form-data; name=", "\r\n--b--\r\n"
	const size = 60_000
	parts := strings.Repeat(start+"a\r\n\r\n\r\n", size/50) + end
	headers := start + "a\r\n" + strings.Repeat("X-A: b\r\n", size/8) + "\r\nx" + end
	name := start + `"` + strings.Repeat("n", size) + "\"\r\n\r\nx" + end
	nested := strings.Repeat("--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", size/50) + end
	return []string{parts, headers, name, nested}
}

// suspicious returns a post with too many links. Each n has a different one.
func suspicious(n int) string {
	return fmt.Sprintf("name=Spam+%[1]d&phone=%%2B9181%08[1]d&message=%[2]s", n, strings.Repeat(fmt.Sprintf("https://example.com/%d+", n), 6))
}
