// The workflow's step 3, word for word: what a page that was written for it calls.

/** Only the two placeholders are filled in: the agent's path and the name of its parameter. */
export const SNIPPET = String.raw`
// Inside the main <script> tag

async function runMyAgent() {
    const param = document.getElementById('myInput').value;
    if (!param) return showToast("Enter a value");
    
    console.log(${'`'}🤖 [MY_AGENT] Starting...${'`'});
    
    setLoading(true, "Initializing x402 Agent");
    
    try {
        updateLoadingText("🔷 Requesting API (x402 Flow)...");
        
        // Use x402Fetch - it handles 402 automatically!
        const res = await window.x402Fetch('/api/x402/my-agent/', {
            method: 'POST',
            headers: { 
                'Content-Type': 'application/json',
                'X-CSRFToken': getCookie('csrftoken')
            },
            body: JSON.stringify({ param: param })
        });
        
        const data = await res.json();
        if (!res.ok) throw new Error(data.error);
        
        console.log(${'`'}✅ [MY_AGENT] Complete!${'`'});
        
        // Display results
        showResults(data);
        
    } catch (e) {
        console.error(${'`'}❌ [MY_AGENT] Error:${'`'}, e);
        showToast(e.message);
    } finally {
        setLoading(false);
    }
}
`
  .replace('/api/x402/my-agent/', '/api/x402/contract-xray/')
  .replace('{ param: param }', '{ bytecode: param }');

/** What the workflow's dashboard has around it: here, each call is only written down. */
export const DASHBOARD = `
  document.body.insertAdjacentHTML('beforeend', '<input id="myInput">');
  var said = [];
  var getCookie = () => null;
  var [setLoading, updateLoadingText, showToast, showResults] =
    ['setLoading', 'updateLoadingText', 'showToast', 'showResults'].map((name) => (...args) => said.push([name, ...args]));
`;
