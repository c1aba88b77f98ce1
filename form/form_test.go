package form_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leadwire/caddy-telecrm/form"
)

const (
	urlencoded = "application/x-www-form-urlencoded"
	formData   = "multipart/form-data; boundary=b"
	jsonObject = "application/json"
)

// private stands for visitor input in malformed bodies. No error may quote it.
const private = "Zephyrine"

// entries returns a list of entries from alternating names and values.
func entries(namesAndValues ...string) []form.Entry {
	var list []form.Entry
	for i := 0; i < len(namesAndValues); i += 2 {
		list = append(list, form.Entry{Name: namesAndValues[i], Value: namesAndValues[i+1]})
	}
	return list
}

func wantEntries(t *testing.T, got *form.Form, want []form.Entry) {
	t.Helper()
	if diff := cmp.Diff(want, got.Entries, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// wantRefused checks that err is want and none of the other sentinel errors, that it does not quote
// the visitor, and that a form came with it only for ErrTooLarge.
func wantRefused(t *testing.T, got *form.Form, err, want error) {
	t.Helper()
	if (got != nil) != errors.Is(want, form.ErrTooLarge) {
		t.Errorf("got form %v with error", got)
	}
	for _, sentinel := range []error{form.ErrUnsupported, form.ErrTooLarge, form.ErrMalformed} {
		if is := errors.Is(err, sentinel); is != errors.Is(want, sentinel) {
			t.Errorf("error %v: is %q: %v, want error %v", err, sentinel, is, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), private) {
		t.Errorf("the error quotes the visitor: %v", err)
	}
}

func TestReadContentType(t *testing.T) {
	const multipartBody = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"
	tests := []struct {
		contentType, body string
		want              error
	}{
		{"application/x-www-form-urlencoded", "a=1", nil},
		{"Application/X-WWW-Form-URLencoded", "a=1", nil},
		{" application/x-www-form-urlencoded ;charset=UTF-8", "a=1", nil},
		{"application/x-www-form-urlencoded; charset=utf8", "a=1", nil},
		{"application/x-www-form-urlencoded; charset=us-ascii", "a=1", nil},
		{`application/x-www-form-urlencoded; charset=""`, "a=1", nil},
		{"application/x-www-form-urlencoded;", "a=1", nil},
		{"application/x-www-form-urlencoded;;;", "a=1", nil},
		{"application/x-www-form-urlencoded; charset", "a=1", nil},
		{"application/x-www-form-urlencoded; charset=UTF-8; =odd", "a=1", nil},
		{"application/x-www-form-urlencoded; charset=windows-1252", "a=1", nil},
		{"application/x-www-form-urlencoded; charset=ISO-8859-1; odd", "a=1", nil},
		{"application/x-www-form-urlencoded; charset=unheard-of", "a=1", nil},
		{"application/x-www-form-urlencoded; charset=utf-8; charset=koi8-r", "a=1", form.ErrUnsupported},
		{`MULTIPART/form-data; BOUNDARY="b"`, multipartBody, nil},
		{"multipart/form-data; boundary=b; charset=utf-8", multipartBody, nil},
		{"multipart/form-data; boundary=b; odd", multipartBody, nil},
		{"multipart/form-data; boundary=b; charset=utf-16", multipartBody, form.ErrUnsupported},
		{"multipart/form-data", multipartBody, form.ErrMalformed},
		{"multipart/form-data; boundary=", multipartBody, form.ErrMalformed},
		{`multipart/form-data; boundary=""`, multipartBody, form.ErrMalformed},
		{`multipart/form-data; boundary="b`, multipartBody, form.ErrMalformed},
		{"multipart/form-data; boundary=" + strings.Repeat("b", 71), multipartBody, form.ErrMalformed},
		{"multipart/form-data; boundary=b; boundary=c", multipartBody, form.ErrUnsupported},
		{"multipart/mixed; boundary=b", multipartBody, form.ErrUnsupported},
		{"application/json", `{"a":1}`, nil},
		{"APPLICATION/JSON; charset=utf-8", `{"a":1}`, nil},
		{"application/json; charset=utf-16le", `{"a":1}`, form.ErrUnsupported},
		{"application/ld+json", `{"a":1}`, form.ErrUnsupported},
		{"text/json", `{"a":1}`, form.ErrUnsupported},
		{"text/plain", "a=1", form.ErrUnsupported},
		{"", "a=1", form.ErrUnsupported},
		{";", "a=1", form.ErrUnsupported},
		{"application", "a=1", form.ErrUnsupported},
		{"application/", "a=1", form.ErrUnsupported},
		{private + "/" + private, "a=1", form.ErrUnsupported},
		{"application/json" + strings.Repeat(";", 1<<16), `{"a":1}`, form.ErrUnsupported},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%.60s", test.contentType), func(t *testing.T) {
			got, err := form.Read(strings.NewReader(test.body), test.contentType, form.Limits{}, nil)
			if test.want != nil {
				wantRefused(t, got, err, test.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantEntries(t, got, entries("a", "1"))
		})
	}
}

func TestReadBoundaryOfLongestLength(t *testing.T) {
	boundary := strings.Repeat("b", 70)
	body := strings.ReplaceAll(part(`name="a"`, "1")+end, "--b", "--"+boundary)
	got, err := form.Read(strings.NewReader(body), "multipart/form-data; boundary="+boundary, form.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantEntries(t, got, entries("a", "1"))
}

func TestReadCharsetErrorSaysWhatToDo(t *testing.T) {
	_, err := form.Read(strings.NewReader("a=1"), urlencoded+"; charset=utf-16", form.Limits{}, nil)
	if err == nil || !strings.Contains(err.Error(), "serve the page with the form as UTF-8") {
		t.Errorf("the error does not ask for a page in UTF-8: %v", err)
	}
}

func TestReadNilBody(t *testing.T) {
	got, err := form.Read(nil, urlencoded, form.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantEntries(t, got, nil)
}

func TestFormLookup(t *testing.T) {
	f := &form.Form{Entries: entries("city", "Pune", "note", "", "city", "Kochi")}
	tests := []struct {
		name   string
		values []string
		first  string
		has    bool
	}{
		{"city", []string{"Pune", "Kochi"}, "Pune", true},
		{"note", []string{""}, "", true},
		{"City", nil, "", false},
		{"", nil, "", false},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.values, f.Values(test.name)); diff != "" {
			t.Errorf("Values(%q) (-want +got):\n%s", test.name, diff)
		}
		if first := f.First(test.name); first != test.first {
			t.Errorf("First(%q) = %q, want %q", test.name, first, test.first)
		}
		if has := f.Has(test.name); has != test.has {
			t.Errorf("Has(%q) = %v, want %v", test.name, has, test.has)
		}
	}
}

// TestReadBodyFails lets the body fail after each of its bytes. The caller must get that failure,
// without a form and without a complaint about the half that arrived.
func TestReadBodyFails(t *testing.T) {
	errReset := errors.New("connection reset")
	bodies := map[string]string{
		urlencoded: "name=Asha&note=%C3%A9",
		formData:   part(`name="name"`, "Asha") + part(`name="cv"; filename="cv.pdf"`, "%PDF") + end,
		jsonObject: `{"name":"Asha","tags":["a","b"]}`,
	}
	tests := []struct {
		name      string
		failure   error
		want      error
		multipart error
	}{
		{"connection", errReset, nil, nil},
		{"wrapped end", fmt.Errorf("connection: %w", io.EOF), nil, nil},
		{"cut short", io.ErrUnexpectedEOF, nil, form.ErrMalformed},
		{"caller's limit", &http.MaxBytesError{Limit: 7}, form.ErrTooLarge, form.ErrTooLarge},
		{"caller's limit, wrapped", fmt.Errorf("reading: %w", &http.MaxBytesError{Limit: 7}), form.ErrTooLarge, form.ErrTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for contentType, body := range bodies {
				want := test.want
				if contentType == formData {
					want = test.multipart
				}
				for length := range len(body) + 1 {
					reader := io.MultiReader(strings.NewReader(body[:length]), iotest.ErrReader(test.failure))
					got, err := form.Read(reader, contentType, form.Limits{}, nil)
					if err == nil {
						t.Fatalf("%s, %d bytes: no error", contentType, length)
					}
					wantRefused(t, got, err, want)
					if !errors.Is(want, form.ErrMalformed) && !errors.Is(err, test.failure) {
						t.Errorf("%s, %d bytes: error %v does not wrap the body's", contentType, length, err)
					}
				}
			}
		})
	}
}

func ExampleRead() {
	body := strings.NewReader("name=Asha+Rao&phone=081234+56789&interest=Solar&interest=Wind")
	f, err := form.Read(body, "application/x-www-form-urlencoded", form.DefaultLimits(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.First("name"))
	fmt.Println(f.Values("interest"))
	fmt.Println(f.Has("email"))
	// Output:
	// Asha Rao
	// [Solar Wind]
	// false
}
