package form_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/form"
)

// TestReadReturnsWhatWasSent encodes entries as a client does and reads them in pieces of every
// kind.
func TestReadReturnsWhatWasSent(t *testing.T) {
	text := rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r != 0 }))
	// A header cannot contain control characters, and clients escape line breaks differently.
	line := rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return !unicode.IsControl(r) }))
	tests := []struct {
		name   string
		names  *rapid.Generator[string]
		encode func(*rapid.T, []form.Entry) (contentType string, body []byte)
	}{
		{"urlencoded", text, encodeURL},
		{"multipart", line, encodeMultipart},
		{"json", text, encodeJSON},
	}
	for _, test := range tests {
		t.Run(test.name, rapid.MakeCheck(func(t *rapid.T) {
			sent := rapid.SliceOfN(entryOf(test.names, text), 0, 20).Draw(t, "entries")
			contentType, body := test.encode(t, sent)
			got, err := form.Read(inPieces(t, body), contentType, form.Limits{Body: 1 << 20, Name: 1 << 12}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sent, got.Entries, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("entries (-sent +read):\n%s", diff)
			}
			for _, entry := range sent {
				if !got.Has(entry.Name) || !slices.Contains(got.Values(entry.Name), entry.Value) || got.First(entry.Name) != got.Values(entry.Name)[0] {
					t.Fatalf("lookups of %q disagree with the entries", entry.Name)
				}
			}
		}))
	}
}

func entryOf(names, values *rapid.Generator[string]) *rapid.Generator[form.Entry] {
	names = rapid.OneOf(rapid.SampledFrom([]string{"name", "phone", "tags"}), names)
	return rapid.Custom(func(t *rapid.T) form.Entry {
		return form.Entry{
			Name:  names.Filter(func(name string) bool { return name != "" }).Draw(t, "name"),
			Value: values.Draw(t, "value"),
		}
	})
}

// inPieces returns a reader of body that delivers it as networks and servers do.
func inPieces(t *rapid.T, body []byte) io.Reader {
	wrap := rapid.SampledFrom([]func(io.Reader) io.Reader{
		func(r io.Reader) io.Reader { return r },
		iotest.OneByteReader,
		iotest.HalfReader,
		iotest.DataErrReader,
	}).Draw(t, "reader")
	return wrap(bytes.NewReader(body))
}

func encodeURL(_ *rapid.T, sent []form.Entry) (contentType string, body []byte) {
	pairs := make([]string, 0, len(sent))
	for _, entry := range sent {
		pairs = append(pairs, url.QueryEscape(entry.Name)+"="+url.QueryEscape(entry.Value))
	}
	return urlencoded, []byte(strings.Join(pairs, "&"))
}

func encodeMultipart(t *rapid.T, sent []form.Entry) (contentType string, body []byte) {
	var buffer bytes.Buffer
	writer := multipart.NewWriter(&buffer)
	for _, entry := range sent {
		if rapid.IntRange(0, 9).Draw(t, "file first") == 0 {
			file, err := writer.CreateFormFile("cv", "cv.pdf")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.Write(rapid.SliceOf(rapid.Byte()).Draw(t, "file")); err != nil {
				t.Fatal(err)
			}
		}
		if err := writer.WriteField(entry.Name, entry.Value); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return writer.FormDataContentType(), buffer.Bytes()
}

// encodeJSON writes adjacent entries of one name as an array or as repeated members.
func encodeJSON(t *rapid.T, sent []form.Entry) (contentType string, body []byte) {
	var members []string
	for len(sent) > 0 {
		run := 1
		for run < len(sent) && sent[run].Name == sent[0].Name && rapid.Bool().Draw(t, "in an array") {
			run++
		}
		values := make([]string, 0, run)
		for _, entry := range sent[:run] {
			values = append(values, entry.Value)
		}
		var value any = values
		if run == 1 && rapid.Bool().Draw(t, "alone") {
			value = values[0]
		}
		members = append(members, marshal(t, sent[0].Name)+":"+marshal(t, value))
		sent = sent[run:]
	}
	return jsonObject, []byte("{" + strings.Join(members, ",") + "}")
}

func marshal(t *rapid.T, value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

var threeDecimals = regexp.MustCompile(`^[^.eE]*\.[0-9]{3}$`)

// TestReadJSONKeepsLiterals checks that a number keeps all of its digits, more than a float has. One
// with three decimals gets a fourth, so that they are not taken for a group.
func TestReadJSONKeepsLiterals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		literal := rapid.StringMatching(`-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,5})?|true|false`).Draw(t, "literal")
		got, err := form.Read(strings.NewReader(`{"a":`+literal+`}`), jsonObject, form.Limits{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := literal
		if threeDecimals.MatchString(literal) {
			want += "0"
		}
		if diff := cmp.Diff(entries("a", want), got.Entries); diff != "" {
			t.Fatalf("entries (-want +got):\n%s", diff)
		}
	})
}
