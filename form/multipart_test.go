package form_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leadwire/caddy-telecrm/form"
)

// end is the final boundary of a body whose boundary is "b".
const end = "--b--\r\n"

// part returns a part of a body whose boundary is "b", with its Content-Disposition parameters,
// content and further header lines.
func part(disposition, content string, headers ...string) string {
	head := "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n"
	for _, header := range headers {
		head += header + "\r\n"
	}
	return head + "\r\n" + content + "\r\n"
}

func TestReadMultipart(t *testing.T) {
	tests := []struct {
		name, body string
		want       []form.Entry
		files      []string
	}{
		{"no parts", end, nil, nil},
		{"order and repeats", part(`name="b"`, "1") + part(`name="a"`, "2") + part(`name="b"`, "3") + end, entries("b", "1", "a", "2", "b", "3"), nil},
		{"empty value", part(`name="note"`, "") + end, entries("note", ""), nil},
		{"value with line breaks", part(`name="note"`, "one\r\ntwo\r\n\r\n") + end, entries("note", "one\r\ntwo\r\n\r\n"), nil},
		{"value that looks like a boundary", part(`name="note"`, "--bc\r\n--b-x\r\n--\r\n") + end, entries("note", "--bc\r\n--b-x\r\n--\r\n"), nil},
		{"value is not unescaped", part(`name="note"`, "a+b%20c=3D") + end, entries("note", "a+b%20c=3D"), nil},
		{"UTF-8 name and value", part(`name="città"`, "Malmö 😀") + end, entries("città", "Malmö 😀"), nil},
		{"quoted name", part(`name="a\"b"`, "1") + part(`name="a%22b"`, "2") + end, entries(`a"b`, "1", `a"b`, "2"), nil},
		{"name of two lines", part(`name="a%0D%0Ab"`, "1") + end, entries("a\r\nb", "1"), nil},
		{"name with other escapes", part(`name="a%20b%3d%E9%"`, "1") + end, entries("a%20b%3d%E9%", "1"), nil},
		{"empty names", part(`name=""`, "1") + part(`name="a"`, "2") + part(`name=""; filename=""`, "") + part(`name=""; filename="x"`, "x") + end, entries("a", "2"), nil},
		{"file with a quoted name", part(`name="a%22b"; filename="x"`, "x") + end, nil, []string{`a"b`}},
		{"name as a token", part(`name=a`, "1") + end, entries("a", "1"), nil},
		{"name with stars", part(`name="a*b"`, "1") + part(`name="filename*"`, "2") + end, entries("a*b", "1", "filename*", "2"), nil},
		{"name that looks like a filename", part(`name="; filename=x"`, "1") + end, entries("; filename=x", "1"), nil},
		{"header names in any case", strings.ReplaceAll(part(`NAME="a"`, "1"), "Content-Disposition: form", "content-disposition:Form") + end, entries("a", "1"), nil},
		{"text part with a charset", part(`name="a"`, "é", "Content-Type: text/plain; charset=UTF-8") + end, entries("a", "é"), nil},
		{"text part with invalid parameters", part(`name="a"`, "é", "Content-Type: text/plain; odd") + end, entries("a", "é"), nil},
		{"part of another type", part(`name="a"`, `{"b":1}`, "Content-Type: application/json") + end, entries("a", `{"b":1}`), nil},
		{"transfer encodings that change nothing", part(`name="a"`, "1", "Content-Transfer-Encoding: 8bit") + part(`name="b"`, "2", "Content-Transfer-Encoding: Binary") + end, entries("a", "1", "b", "2"), nil},
		{"preamble and epilogue", "preamble\r\n" + part(`name="a"`, "1") + end + "epilogue --b\r\n", entries("a", "1"), nil},
		{"no line break at the end", part(`name="a"`, "1") + "--b--", entries("a", "1"), nil},
		{"no line break after no parts", "--b--", nil, nil},
		{"spaces after boundaries", strings.ReplaceAll(part(`name="a"`, "1"), "--b\r\n", "--b \t\r\n") + "--b-- \r\n", entries("a", "1"), nil},
		{"line feeds alone", strings.ReplaceAll(part(`name="a"`, "1")+end, "\r\n", "\n"), entries("a", "1"), nil},

		{"file", part(`name="a"`, "1") + part(`name="cv"; filename="cv.pdf"`, "%PDF\x00\xff", "Content-Type: application/pdf") + part(`name="b"`, "2") + end, entries("a", "1", "b", "2"), []string{"cv"}},
		{"file input without a file", part(`name="cv"; filename=""`, "", "Content-Type: application/octet-stream") + end, nil, nil},
		{"several files of one input", part(`name="cv"; filename="1"`, "") + part(`name="cv"; filename="2"`, "") + end, nil, []string{"cv"}},
		{"files of several inputs", part(`name="cv"; filename="1"`, "") + part(`name="photo"; filename="2"`, "") + end, nil, []string{"cv", "photo"}},
		{"file named in UTF-8", part(`name="cv"; filename*=UTF-8''%e2%82%ac.pdf`, "x") + end, nil, []string{"cv"}},
		{"file named in another charset", part(`name="cv"; filename*=ISO-8859-1''%a3.pdf`, "x") + end, nil, []string{"cv"}},
		{"file with a broken extended name", part(`name="cv"; FileName*=x`, "x") + end, nil, []string{"cv"}},
		{"file with a name in pieces", part(`name="cv"; filename*0=a; filename*1=.pdf`, "x") + end, nil, []string{"cv"}},
		{"file with pieces of another charset", part(`name="cv"; filename*1=b`, "x") + end, nil, []string{"cv"}},
		{"file with names that differ in a star", part(`name="cv"; filename.=a; filename*=b`, "x") + end, nil, []string{"cv"}},
		{"file with both names", part(`name="cv"; filename="e.pdf"; filename*=UTF-8''%e2%82%ac.pdf`, "x") + end, nil, []string{"cv"}},
		{"file with an empty extended name", part(`name="cv"; filename*=UTF-8''`, "") + end, nil, nil},
		{"file with a transfer encoding", part(`name="cv"; filename="1"`, "eA==", "Content-Transfer-Encoding: base64") + end, nil, []string{"cv"}},
		{"text file in another charset", part(`name="cv"; filename="1"`, "\xe9", "Content-Type: text/plain; charset=iso-8859-1") + end, nil, []string{"cv"}},
		{"file with line breaks and dashes", part(`name="cv"; filename="1"`, "\r\n--\r\n--c\r\n\r\n") + part(`name="a"`, "1") + end, entries("a", "1"), []string{"cv"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := form.Read(strings.NewReader(test.body), formData, form.Limits{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantEntries(t, got, test.want)
			if diff := cmp.Diff(test.files, got.Files, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadMultipartRefused(t *testing.T) {
	field := part(`name="`+private+`"`, private)
	raw := func(headers string) string { return "--b\r\n" + headers + "\r\n\r\n" + private + "\r\n" + end }
	tests := []struct {
		name, body string
		want       error
	}{
		{"no body", "", form.ErrMalformed},
		{"no boundary at all", private, form.ErrMalformed},
		{"another boundary", strings.ReplaceAll(field+end, "--b", "--c"), form.ErrMalformed},
		{"preamble of one long line", strings.Repeat(private, 1000) + "\r\n" + field + end, form.ErrMalformed},
		{"no final boundary", field, form.ErrMalformed},
		{"boundary instead of the final one", field + "--b\r\n", form.ErrMalformed},
		{"half a final boundary", field + "--b-", form.ErrMalformed},
		{"final boundary with a tail", field + "--b--" + private + "\r\n", form.ErrMalformed},
		{"text instead of a boundary", field + "--b" + private + end, form.ErrMalformed},
		{"headers instead of a boundary", "Content-Disposition: form-data; name=\"a\"\r\n\r\n" + private + "\r\n", form.ErrMalformed},
		{"part without headers", raw(""), form.ErrMalformed},
		{"part without a disposition", raw("Content-Type: text/plain"), form.ErrMalformed},
		{"part with two dispositions", part(`name="a"`, private, `Content-Disposition: form-data; name="b"`) + end, form.ErrMalformed},
		{"another disposition", raw(`Content-Disposition: attachment; name="` + private + `"`), form.ErrMalformed},
		{"empty disposition", raw("Content-Disposition:"), form.ErrMalformed},
		{"no name", raw("Content-Disposition: form-data"), form.ErrMalformed},
		{"file without a name", part(`filename="`+private+`"`, "x") + end, form.ErrMalformed},
		{"unfinished quote", part(`name="`+private, "1") + end, form.ErrMalformed},
		{"two names", part(`name="a"; name="`+private+`"`, "1") + end, form.ErrMalformed},
		{"name of another charset", part(`name*=ISO-8859-1''`+private, "1") + end, form.ErrMalformed},
		{"name with an escaped NUL", part("name*=utf-8''a%00b", private) + end, form.ErrMalformed},
		{"name with a NUL", part("name=\"a\x00b\"", private) + end, form.ErrMalformed},
		{"value with a NUL", part(`name="a"`, private+"\x00") + end, form.ErrMalformed},
		{"header without a colon", raw(private), form.ErrMalformed},
		{"header that begins with a space", raw(" " + private + ": 1"), form.ErrMalformed},
		{"header with a control character", raw("Content-Disposition: form-data; name=\"" + private + "\x01\""), form.ErrMalformed},
		{"base64", part(`name="a"`, private, "Content-Transfer-Encoding: base64") + end, form.ErrMalformed},
		{"quoted-printable", part(`name="a"`, private+"=3D", "Content-Transfer-Encoding: Quoted-Printable") + end, form.ErrMalformed},
		{"unknown transfer encoding", part(`name="a"`, "1", "Content-Transfer-Encoding: "+private) + end, form.ErrMalformed},
		{"invalid content type", part(`name="a"`, "1", "Content-Type: text/"+private+"/") + end, form.ErrMalformed},
		{"multipart in a part", part(`name="a"`, "--c\r\n\r\n--c--", "Content-Type: multipart/mixed; boundary=c") + end, form.ErrMalformed},
		{"another charset and invalid parameters", part(`name="a"`, private, "Content-Type: text/plain; charset=utf-16; odd") + end, form.ErrUnsupported},
		{"a flood of one header", part(`name="a"`, private, lines("A:", 12_000)...) + end, form.ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := form.Read(strings.NewReader(test.body), formData, form.Limits{}, nil)
			wantRefused(t, got, err, test.want)
		})
	}
}

// Headers of parts do not keep the other parts from being read.
func TestReadMultipartLargeHeaders(t *testing.T) {
	for _, test := range []struct {
		name, part string
		want       []form.Entry
		skipped    string
	}{
		{"many headers", part(`name="b"`, "2", lines("A-Header: 1", 500)...), entries("a", "1", "b", "2"), ""},
		{"a large header", part(`name="b"`, "2", "A-Header: "+strings.Repeat("x", 20<<10)), entries("a", "1", "b", "2"), ""},
		{"a large content type", part(`name="b"`, "2", "Content-Type: text/plain; charset=utf-8; x="+strings.Repeat("x", 2<<10)), entries("a", "1", "b", "2"), ""},
		{"a name of 1 KiB", part(`name="`+strings.Repeat("b", 1<<10)+`"`, "2"), entries("a", "1", strings.Repeat("b", 1<<10), "2"), ""},
		{"a name of 9 KiB", part(`name="`+strings.Repeat("b", 9<<10)+`"`, "2"), entries("a", "1"), strings.Repeat("b", 1<<10)},
		{"a file name of 9 KiB", part(`name="cv"; filename="`+strings.Repeat("b", 9<<10)+`"`, "2"), entries("a", "1"), "cv"},
		{"a flood in one header", part(`name="b"`+strings.Repeat("; a=1", 10_000), "2"), entries("a", "1"), "b"},
		{"a flood of continued lines", part(`name="b";`, "2", lines(" ", 10_000)...), entries("a", "1"), "b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := form.Read(strings.NewReader(part(`name="a"`, "1")+test.part+end), formData, form.Limits{Body: 1 << 20}, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantEntries(t, got, test.want)
			var skipped string
			for _, entry := range got.Skipped {
				skipped += entry.Name
			}
			if skipped != test.skipped {
				t.Errorf("skipped %.60q, want %.60q", skipped, test.skipped)
			}
		})
	}
}

// TestReadMultipartCutShort cuts a body after each of its bytes. Without a whole final boundary
// there must be no form.
func TestReadMultipartCutShort(t *testing.T) {
	body := part(`name="a"`, "1") + part(`name="cv"; filename="x"`, "y") + part(`name="b"`, "2") + "--b--"
	for length := range len(body) {
		got, err := form.Read(strings.NewReader(body[:length]), formData, form.Limits{}, nil)
		wantRefused(t, got, err, form.ErrMalformed)
		if t.Failed() {
			t.Fatalf("with %d bytes of %d", length, len(body))
		}
	}
}

// lines returns the header line n times.
func lines(line string, n int) []string {
	return strings.Split(strings.TrimSuffix(strings.Repeat(line+"\n", n), "\n"), "\n")
}
