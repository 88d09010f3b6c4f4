// Calls the printed functions, a case a line; prints what each one answered.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

record Given(
    Func<string, string?> header, string method, byte[] body, byte[] query, byte[] payload,
    List<string> secrets, DateTimeOffset now);

static class Program
{
    static bool Verify(string module, Given it) => module switch
    {
        // CALLS
        _ => throw new ArgumentException(module),
    };

    static string Text(string field) => Encoding.Latin1.GetString(Convert.FromBase64String(field));

    static void Main(string[] arguments)
    {
        foreach (var line in File.ReadLines(arguments[0]))
        {
            var fields = line.Split('\t');
            var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            foreach (var pair in fields[2].Split(',').Where(pair => pair.Contains('=')))
            {
                var at = pair.IndexOf('=');
                headers[pair[..at]] = Text(pair[(at + 1)..]);
            }
            var it = new Given(
                name => headers.GetValueOrDefault(name), fields[3],
                Convert.FromBase64String(fields[4]), Convert.FromBase64String(fields[5]),
                Convert.FromBase64String(fields[6]),
                fields[7].Split(',').Where(secret => secret != "").Select(Text).ToList(),
                DateTimeOffset.FromUnixTimeSeconds(long.Parse(fields[8])));
            try
            {
                Console.WriteLine(Verify(fields[0], it) ? "true" : "false");
            }
            catch (Exception error)
            {
                Console.WriteLine("threw " + error.Message.ReplaceLineEndings(" "));
            }
        }
    }
}
