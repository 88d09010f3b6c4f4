# frozen_string_literal: true

# Calls the printed functions, a case a line; prints what each one answered.
modules = Hash.new do |known, name|
  load File.join(__dir__, "#{name}.rb")
  known[name] = Object.send(:remove_const, :Webhooks)
end
text = ->(field) { field.unpack1("m0").force_encoding("UTF-8") }

File.foreach(ARGV[0], chomp: true) do |line|
  name, names, headers, method, body, query, payload, secrets, now = line.split("\t", -1)
  given = {
    "headers" => headers.split(",").to_h { |pair| pair.split("=", 2) }.transform_values(&text),
    "method" => method,
    "body" => body.unpack1("m0"),
    "query" => query.unpack1("m0"),
    "payload" => payload.unpack1("m0"),
    "secrets" => secrets.split(",").map(&text),
    "now" => Time.at(now.to_i),
  }
  begin
    puts modules[name].verify(*names.split(",").map { |argument| given[argument] })
  rescue StandardError => e
    puts "threw #{e.inspect}"
  end
end
